//! The calls that a child may make.

use std::fmt;
use std::str::FromStr;

use ntro_base::printable;
use serde::{Deserialize, Serialize};

use super::path::{is_below, normalize};

/// Rules on method and path. Without rules every call is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether only GET, HEAD and OPTIONS are allowed.
    pub read_only: bool,
    /// Where there are any, a call must match one of them.
    pub allow: Vec<Rule>,
    /// A call must match none of them, even if `allow` or `ask` has it.
    pub deny: Vec<Rule>,
    /// A call that matches one of them waits for a person, whether `allow` has it or not.
    pub ask: Vec<Rule>,
}

/// A rule such as `GET,POST /v1/interviews/*`: methods, and a path in which `*` stands for any
/// characters. `*` as method is any method, and `GET` includes HEAD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    text: String,
    /// Empty for any method.
    methods: Vec<String>,
    path: String,
}

/// A text that is not a rule, or a rule that no call can match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rule `{rule}` {reason}")]
pub struct RuleError {
    rule: String,
    reason: String,
}

impl Rules {
    /// Returns whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let has_rule = [&self.allow, &self.deny, &self.ask];
        !self.read_only && has_rule.iter().all(|rules| rules.is_empty())
    }

    /// Returns the reason why a call is refused; `None` if it is allowed, perhaps after a question.
    /// The path is in its normal form.
    pub(super) fn refusal(&self, method: &str, path: &str) -> Option<String> {
        if self.read_only && !matches!(method, "GET" | "HEAD" | "OPTIONS") {
            return Some("`--read-only` allows GET, HEAD and OPTIONS".to_owned());
        }
        if let Some(rule) = covering(&self.deny, method, path) {
            return Some(format!("`--deny '{rule}'` refuses it"));
        }
        let is_allowed = self.allow.is_empty()
            || self.allow.iter().any(|rule| rule.matches(method, path))
            || self.asked_by(method, path).is_some();
        (!is_allowed).then(|| "no `--allow` rule has it".to_owned())
    }

    /// Returns the rule by which a person must be asked about a call that is not refused.
    pub(super) fn asked_by(&self, method: &str, path: &str) -> Option<&Rule> {
        covering(&self.ask, method, path)
    }

    /// Checks that calls below `prefix` can match the rules.
    pub(super) fn check(&self, prefix: &str) -> Result<(), RuleError> {
        let is_possible = |rule: &Rule| {
            let head = rule.path.split('*').next().unwrap_or_default();
            let has_wildcard = head.len() < rule.path.len();
            is_below(head, prefix) || (has_wildcard && prefix.starts_with(head))
        };
        let mut rules = self.allow.iter().chain(&self.deny).chain(&self.ask);
        match rules.find(|rule| !is_possible(rule)) {
            Some(rule) => Err(RuleError {
                rule: rule.text.clone(),
                reason: format!("matches no call: all paths begin with `{prefix}`"),
            }),
            None => Ok(()),
        }
    }
}

impl Rule {
    fn matches(&self, method: &str, path: &str) -> bool {
        let has_method = self.methods.is_empty()
            || self
                .methods
                .iter()
                .any(|of_rule| of_rule == method || (of_rule == "GET" && method == "HEAD"));
        let is_match = || {
            matches_pattern(&self.path, path)
                || matches_pattern(without_slash(&self.path), without_slash(path))
        };
        has_method && is_match()
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |reason: &str| RuleError {
            rule: printable(text, 256),
            reason: reason.to_owned(),
        };
        let mut words = text.split_ascii_whitespace();
        let (Some(methods), Some(path), None) = (words.next(), words.next(), words.next()) else {
            return Err(refused("is not a method and a path, such as `GET /v1/*`"));
        };
        let methods = match methods {
            "*" => Vec::new(),
            methods => methods.split(',').map(str::to_owned).collect(),
        };
        let is_method =
            |method: &String| !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
        if !methods.iter().all(is_method) {
            return Err(refused(
                "does not begin with methods in capitals, such as `GET` or `POST,PUT`, or `*`",
            ));
        }
        if path.contains(['?', '#']) {
            return Err(refused("has a query or a fragment: rules are about paths"));
        }
        let path = normalize(path).map_err(|reason| refused(&format!("is invalid: {reason}")))?;
        Ok(Self {
            text: format!(
                "{} {path}",
                text.split_ascii_whitespace().next().unwrap_or("*")
            ),
            methods,
            path,
        })
    }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.text
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns the first of some restricting rules that has a call. `/a/*` has `/a` as well.
fn covering<'a>(rules: &'a [Rule], method: &str, path: &str) -> Option<&'a Rule> {
    if rules.is_empty() {
        return None;
    }
    let folder = format!("{}/", without_slash(path));
    let covers = |rule: &&Rule| rule.matches(method, path) || rule.matches(method, &folder);
    rules.iter().find(covers)
}

/// Servers often treat a path with and without a slash at its end alike.
fn without_slash(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => path,
    }
}

/// Returns whether a path is a pattern's, in which `*` stands for any characters.
fn matches_pattern(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    // The earliest occurrence of each part leaves the most for the others.
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> Rules {
        let parse = |rules: &[&str]| rules.iter().map(|rule| rule.parse().unwrap()).collect();
        Rules {
            read_only: false,
            allow: parse(allow),
            deny: parse(deny),
            ask: Vec::new(),
        }
    }

    #[test]
    fn ask_is_between_deny_and_allow() {
        let asking = |read_only| Rules {
            read_only,
            ask: vec!["GET,DELETE /v1/interviews/*".parse().unwrap()],
            ..rules(&["GET /v1/*"], &["DELETE /v1/interviews/1"])
        };
        let asked = "GET,DELETE /v1/interviews/*";
        for (method, path, refused, by) in [
            ("GET", "/v1/me", false, None),
            ("GET", "/v1/interviews/1", false, Some(asked)),
            ("HEAD", "/v1/interviews/1/", false, Some(asked)),
            ("GET", "/v1/interviews", false, Some(asked)),
            ("DELETE", "/v1/interviews/2", false, Some(asked)),
            ("DELETE", "/v1/interviews/1", true, Some(asked)),
            ("POST", "/v1/interviews/2", true, None),
        ] {
            let rules = asking(false);
            let found = rules.asked_by(method, path).map(ToString::to_string);
            assert_eq!(found.as_deref(), by, "{method} {path}");
            let reason = rules.refusal(method, path);
            assert_eq!(reason.is_some(), refused, "{method} {path}: {reason:?}");
        }
        assert!(asking(true).refusal("DELETE", "/v1/interviews/2").is_some());
        assert_eq!(asking(true).refusal("GET", "/v1/interviews/2"), None);
        let alone = Rules {
            ask: asking(false).ask,
            ..Rules::default()
        };
        assert!(!alone.is_empty());
        assert_eq!(alone.refusal("POST", "/v1/me"), None);
        assert!(alone.check("/v2").is_err());
    }

    #[test]
    fn deny_wins_over_allow() {
        let rules = rules(
            &["GET /v1/*", "POST,PUT /v1/interviews/*/start"],
            &["* /v1/api-keys*", "GET /v1/export/", "* /v1/admin/*"],
        );
        for (method, path) in [
            ("GET", "/v1/me"),
            ("HEAD", "/v1/me"),
            ("GET", "/v1/"),
            ("POST", "/v1/interviews/7/start"),
            ("PUT", "/v1/interviews/7/start/"),
            ("GET", "/v1/export/7"),
        ] {
            assert_eq!(rules.refusal(method, path), None, "{method} {path}");
        }
        for (method, path, reason) in [
            (
                "GET",
                "/v1/api-keys/current",
                "`--deny '* /v1/api-keys*'` refuses it",
            ),
            ("GET", "/v1/export", "`--deny 'GET /v1/export/'` refuses it"),
            ("GET", "/v1/admin", "`--deny '* /v1/admin/*'` refuses it"),
            (
                "HEAD",
                "/v1/export/",
                "`--deny 'GET /v1/export/'` refuses it",
            ),
            ("POST", "/v1/me", "no `--allow` rule has it"),
            ("GET", "/v2/me", "no `--allow` rule has it"),
            (
                "POST",
                "/v1/interviews/7/starts",
                "no `--allow` rule has it",
            ),
            ("get", "/v1/me", "no `--allow` rule has it"),
        ] {
            assert_eq!(
                rules.refusal(method, path).as_deref(),
                Some(reason),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn read_only_refuses_changes() {
        let rules = Rules {
            read_only: true,
            ..rules(&[], &["GET /v1/secret*"])
        };
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(rules.refusal(method, "/v1/me"), None);
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"] {
            let reason = rules.refusal(method, "/v1/me").unwrap();
            assert_eq!(reason, "`--read-only` allows GET, HEAD and OPTIONS");
        }
        assert!(rules.refusal("GET", "/v1/secrets").is_some());
        assert!(Rules::default().is_empty() && !rules.is_empty());
    }

    #[test]
    fn wildcard_stands_for_any_characters() {
        for (pattern, path) in [
            ("/a", "/a"),
            ("*", "/a"),
            ("/*", "/"),
            ("/a*", "/a"),
            ("/a*", "/a/b/c"),
            ("/a/*/c", "/a/b/b/c"),
            ("/a*b*c", "/abcbc"),
            ("/**", "/a"),
        ] {
            assert!(matches_pattern(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/a", "/ab"),
            ("/a", "/"),
            ("/a/*", "/a"),
            ("/a/*/c", "/a/c"),
            ("/a*a", "/a"),
            ("/a*b*c", "/acb"),
        ] {
            assert!(!matches_pattern(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn invalid_rule_is_named() {
        for (text, error) in [
            (
                "",
                "the rule `` is not a method and a path, such as `GET /v1/*`",
            ),
            (
                "/v1/*",
                "the rule `/v1/*` is not a method and a path, such as `GET /v1/*`",
            ),
            (
                "get /v1",
                "the rule `get /v1` does not begin with methods in capitals, such as `GET` or `POST,PUT`, or `*`",
            ),
            (
                "GET, /v1",
                "the rule `GET, /v1` does not begin with methods in capitals, such as `GET` or `POST,PUT`, or `*`",
            ),
            (
                "GET v1",
                "the rule `GET v1` is invalid: the path does not begin with `/`",
            ),
            (
                "GET /v1?a=b",
                "the rule `GET /v1?a=b` has a query or a fragment: rules are about paths",
            ),
            (
                "GET /v1/../x",
                "the rule `GET /v1/../x` is invalid: the path contains `.` or `..` as a segment",
            ),
        ] {
            assert_eq!(text.parse::<Rule>().unwrap_err().to_string(), error);
        }
        assert_eq!(
            " GET  /v1/%6de ".parse::<Rule>().unwrap().to_string(),
            "GET /v1/me"
        );
    }

    #[test]
    fn rule_outside_prefix_is_refused() {
        for rule in ["GET /v1/me", "GET /v1*", "GET /*", "* /v*", "GET /v1"] {
            assert_eq!(rules(&[rule], &[]).check("/v1"), Ok(()), "{rule}");
        }
        for rule in ["GET /me", "GET /v2*", "GET /v10", "GET /v"] {
            let error = rules(&[], &[rule]).check("/v1").unwrap_err().to_string();
            assert!(
                error.ends_with("matches no call: all paths begin with `/v1`"),
                "{error}"
            );
        }
        assert_eq!(rules(&["GET /me"], &[]).check(""), Ok(()));
    }
}

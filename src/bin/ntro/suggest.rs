//! Suggestions in messages: names that a mistyped one may stand for, and commands.

use crate::shell::quoted;

/// Names that are listed in a message; more are left to `ntro auth list`.
const MOST_LISTED: usize = 8;

/// Returns the known name that is most like a mistyped one, if any is.
fn similar<'a>(typed: &str, known: &'a [String]) -> Option<&'a str> {
    /// Below this, names have less in common than not.
    const LEAST: f64 = 0.8;

    let typed = typed.to_lowercase();
    let likeness = |name: &'a String| {
        let name_in_lower_case = name.to_lowercase();
        (
            strsim::jaro_winkler(&typed, &name_in_lower_case),
            name.as_str(),
        )
    };
    let alike = known.iter().map(likeness);
    let alike = alike.filter(|(likeness, _)| *likeness > LEAST);
    let best = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.map(|(_, name)| name)
}

/// Returns the hint for a connection that does not exist.
pub(crate) fn known_connections(typed: &str, known: &[String]) -> String {
    if known.is_empty() {
        return "there are no connections yet: run `ntro auth login`".to_owned();
    }
    match similar(typed, known) {
        Some(name) => format!(
            "did you mean `{}`? {}",
            ntro_base::escaped(name),
            listed(known)
        ),
        None => listed(known),
    }
}

/// Lists the connections, or names the command that does.
pub(crate) fn listed(known: &[String]) -> String {
    if known.len() > MOST_LISTED {
        return format!("`ntro auth list` lists the {} connections", known.len());
    }
    let names: Vec<_> = known.iter().map(|name| ntro_base::escaped(name)).collect();
    format!("the connections are: {}", names.join(", "))
}

/// The command that stores a key for the connection that `--name` names.
const LOGIN: &str = "ntro auth login";
/// The starts of commands that act on the connection that `-c` names.
const OTHERS: [&str; 7] = [
    "ntro auth explain",
    "ntro auth status",
    "ntro auth test",
    "ntro auth token",
    "ntro auth whoami",
    "ntro key ",
    "ntro tenant ",
];

/// Makes the commands in a hint act on a connection, unless they name one. With `is_found`, the other
/// commands than logins find it by themselves.
pub(crate) fn acting_on(hint: &str, name: &str, is_found: bool) -> String {
    let name = quoted(name);
    let acting = |(index, part): (usize, &str)| match part.strip_prefix(LOGIN) {
        // The text outside of backticks is no command.
        _ if index % 2 == 0 => part.to_owned(),
        Some(options) if !options.contains(" --name ") => format!("{LOGIN} --name {name}{options}"),
        None if !is_found
            && OTHERS.iter().any(|command| part.starts_with(command))
            && !part.contains(" -c ") =>
        {
            format!("{part} -c {name}")
        }
        _ => part.to_owned(),
    };
    let parts: Vec<_> = hint.split('`').enumerate().map(acting).collect();
    parts.join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_name_is_recognised() {
        let known = ["acme-dev", "acme-prod", "acme-uat", "Local", "production"].map(str::to_owned);
        for (typed, meant) in [
            ("acme-prd", Some("acme-prod")),
            ("acmeprod", Some("acme-prod")),
            ("prodution", Some("production")),
            ("prod", Some("production")),
            ("local", Some("Local")),
            ("staging", None),
            ("x", None),
        ] {
            assert_eq!(similar(typed, &known), meant, "{typed}");
        }
    }

    #[test]
    fn long_list_is_left_to_command() {
        let known: Vec<_> = (0..30).map(|number| format!("acme-{number}")).collect();
        assert_eq!(
            known_connections("acme-3x", &known),
            "did you mean `acme-3`? `ntro auth list` lists the 30 connections"
        );
        assert_eq!(
            known_connections("x", &known[..2]),
            "the connections are: acme-0, acme-1"
        );
    }
    #[test]
    fn commands_get_name_of_connection() {
        for (hint, expected) in [
            (
                "run `ntro auth login`",
                "run `ntro auth login --name 'a b'`",
            ),
            (
                "`ntro auth login --store file` and `NTRO_API_KEY`",
                "`ntro auth login --name 'a b' --store file` and `NTRO_API_KEY`",
            ),
            ("see `ntro key list`", "see `ntro key list -c 'a b'`"),
            ("ntro key list", "ntro key list"),
            ("`ntro admin key list`", "`ntro admin key list`"),
            ("`ntro auth login --name x`", "`ntro auth login --name x`"),
            ("`ntro key list -c x`", "`ntro key list -c x`"),
        ] {
            assert_eq!(acting_on(hint, "a b", false), expected);
        }
        let hint = "`ntro auth login`, `ntro key list`";
        assert_eq!(
            acting_on(hint, "a", true),
            "`ntro auth login --name a`, `ntro key list`"
        );
    }
}

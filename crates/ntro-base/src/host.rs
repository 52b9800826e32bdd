//! The base URL of a service, and the origin that a key is bound to.

mod canonical;

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::http::is_loopback;
use crate::names::looks_like_key;
use crate::text::{CharacterName, is_hidden};
use canonical::{canonical, is_possible_name};

const LONGEST: usize = 2_048;

/// Why a text is not a base URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The text is empty.
    #[error("the host is empty")]
    Empty,
    /// The text is longer than any real URL.
    #[error("the host has {length} bytes, at most {LONGEST} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The text is not a URL.
    #[error("the host is not a URL: {reason}")]
    NotAUrl {
        /// The problem.
        reason: String,
    },
    /// The scheme is not `http` or `https`.
    #[error("the host has the scheme `{scheme}`: only `https` and `http` are possible")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The text has a user name or password before `@`. Neither is repeated in the message.
    #[error("the host contains a user name or password before `@`")]
    UserInfo,
    /// The text has a query or a fragment after the path.
    #[error("the host contains {what}: only scheme, name, port and path are possible")]
    Trailing {
        /// "a query" or "a fragment".
        what: &'static str,
    },
}

/// The base URL of a service, without a trailing slash: `https://api.ntropii.com/v1`.
///
/// Only this module normalises URLs. A missing scheme becomes `https`, or `http` for loopback
/// addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    text: String,
    /// The length of the origin in `text`.
    origin: usize,
    is_loopback: bool,
}

impl Host {
    /// Returns the URL without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns scheme, name and port, which keys are bound to.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin(self.origin_text().to_owned())
    }

    pub(crate) fn origin_text(&self) -> &str {
        &self.text[..self.origin]
    }

    /// Returns the path; it begins with a slash unless it is empty.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.text[self.origin..]
    }

    /// Returns the URL of `path` below this host; `path` begins with a slash.
    ///
    /// A path prefix of the host is kept, as in the official clients.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Returns whether the host is always this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Returns whether a key may be sent there: over `https`, or unencrypted to loopback.
    #[must_use]
    pub fn is_safe_transport(&self) -> bool {
        self.is_https() || self.is_loopback()
    }

    /// Returns whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim_ascii();
        match canonical(text) {
            Some(host) if text.len() <= LONGEST => Ok(host),
            _ => parsed_url(text)?.try_into(),
        }
    }
}

/// Parses a text that has no scheme or another form than the one that is kept.
///
/// The URL standard accepts typing mistakes: `https:/host` and `https//host` name other
/// machines than `host`, and a backslash, a tab or a soft hyphen changes which one is named.
fn parsed_url(text: &str) -> Result<Url, HostError> {
    if text.is_empty() {
        return Err(HostError::Empty);
    }
    if text.len() > LONGEST {
        return Err(HostError::TooLong { length: text.len() });
    }
    let refused = |reason: String| Err(HostError::NotAUrl { reason });
    if looks_like_key(text) {
        return refused("it looks like an API key".to_owned());
    }
    let misread = |&character: &char| matches!(character, '\\' | ' ') || is_hidden(character);
    if let Some(character) = text.chars().find(misread) {
        return refused(format!("it contains {}", CharacterName(character)));
    }
    let begins_with = |scheme: &&str| {
        let head = text.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    if let Some(scheme) = ["https:", "http:"]
        .iter()
        .find(|scheme| begins_with(scheme))
    {
        let name = text[scheme.len()..].strip_prefix("//");
        if name.is_none_or(|name| name.starts_with('/')) {
            return refused(format!("`//` and a name must follow `{scheme}`"));
        }
    }
    let parsed = |text: &str| {
        Url::parse(text).map_err(|error| HostError::NotAUrl {
            reason: error.to_string(),
        })
    };
    if text.contains("://") {
        return parsed(text);
    }
    let authority = text.split('/').next().unwrap_or_default();
    if authority.is_empty() || authority.ends_with(':') {
        return refused("it begins with neither a name nor `https://`".to_owned());
    }
    let secure = parsed(&format!("https://{text}"))?;
    match is_loopback(&secure) {
        true => parsed(&format!("http://{text}")),
        false => Ok(secure),
    }
}

impl TryFrom<Url> for Host {
    type Error = HostError;

    fn try_from(url: Url) -> Result<Self, Self::Error> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HostError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HostError::UserInfo);
        }
        if url.query().is_some() {
            return Err(HostError::Trailing { what: "a query" });
        }
        if url.fragment().is_some() {
            return Err(HostError::Trailing { what: "a fragment" });
        }
        if url.domain().is_some_and(|name| !is_possible_name(name)) {
            return Err(HostError::NotAUrl {
                reason: "no server can have this name".to_owned(),
            });
        }
        let is_loopback = is_loopback(&url);
        let origin = url.as_str().len() - url.path().len();
        let text = url.as_str().trim_end_matches('/').to_owned();
        // Characters that the URL parser encodes take three bytes.
        match text.len() {
            length @ ..=LONGEST => Ok(Self {
                origin: origin.min(length),
                text,
                is_loopback,
            }),
            length => Err(HostError::TooLong { length }),
        }
    }
}

/// Returns a host setting as it is called, or, if it is not a base URL, as text without user name,
/// password, query and fragment, which may hold secrets.
#[must_use]
pub fn shown_host(text: &str) -> String {
    match text.parse::<Host>() {
        Ok(host) => host.text,
        Err(_) => shortened(text),
    }
}

fn shortened(text: &str) -> String {
    if looks_like_key(text.trim_ascii()) {
        return "…".to_owned();
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    // A password that is not percent-encoded may contain any character.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("…@", rest),
        None => ("", rest),
    };
    match rest.find(['?', '#']) {
        Some(end) => format!("{scheme}{user}{}…", &rest[..=end]),
        None => format!("{scheme}{user}{rest}"),
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Scheme, name and port of a host; the port only where it is not the scheme's default.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// Returns the origin as text: `https://api.ntropii.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Host>().map(|host| host.origin())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[test]
    fn accepted_host_is_shown_whole() {
        for (text, shown) in [
            (
                "https://evil.example/@api.ntropii.com/v1",
                "https://evil.example/@api.ntropii.com/v1",
            ),
            (
                "https://localhost:3000/user@1.2.3",
                "https://localhost:3000/user@1.2.3",
            ),
            ("API.ntropii.com:443/v1/", "https://api.ntropii.com/v1"),
            ("localhost:3000", "http://localhost:3000"),
            ("http://127.1/a/../b", "http://127.0.0.1/b"),
            (
                "https://bücher.example/ä",
                "https://xn--bcher-kva.example/%C3%A4",
            ),
        ] {
            assert_eq!(host(text).as_str(), shown);
            assert_eq!(shown_host(text), shown);
        }
    }

    #[test]
    fn broken_url_is_refused() {
        for text in [
            "https:/api.ntropii.com/v1",
            "https:api.ntropii.com",
            "HTTPS:/api.ntropii.com",
            "https:///api.ntropii.com",
            "https:://api.ntropii.com",
            "https//api.ntropii.com",
            "https.//api.ntropii.com",
            "https://https://api.ntropii.com",
            "https:8080",
            "http:\\\\host\\x",
            "http://host\\x",
            "https://good.example\\@evil.example",
            "http:/a:b@host",
            "ftp:/host",
            "//host",
            "/v1",
            "https://exa\tmple.com",
            "https://exa\u{ad}mple.com",
            "https://example.com/a b",
            "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn impossible_name_is_refused() {
        let long = format!("https://{}.example", "a".repeat(64));
        let deep = format!("https://{}example", "aaaaaaa.".repeat(40));
        for text in [
            "https://a\"b",
            "a{b}",
            "a..b",
            "a,",
            "-",
            "-a",
            "a-.example",
            ".",
            "..",
            "~",
            "a;b",
            "a'b",
            "a$b",
            "a!b",
            "a(b)",
            "a*b",
            "*.example",
            "a&b",
            "a=b",
            "a+b",
            "a`b`",
            &long,
            &deep,
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
        for text in [
            "a",
            "my_service:8080",
            "api.ntropii.com.",
            "r3---a.example",
            "xn--bcher-kva.example",
        ] {
            assert!(text.parse::<Host>().is_ok(), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn accepted_host_is_called_as_shown(
            text in "((https?|HTTP|ftp)?(:|://|:/|//))?[a-z0-9A-Zé.:@_/\\\\\\[%?#\\-\u{ad} ]{0,24}"
        ) {
            if let Ok(host) = text.parse::<Host>() {
                prop_assert_eq!(shown_host(&text), host.as_str());
                prop_assert_eq!(&host.as_str().parse::<Host>().unwrap(), &host);
                let url = Url::parse(host.as_str()).unwrap();
                prop_assert_eq!(url.origin().ascii_serialization(), host.origin().0);
                prop_assert_eq!(url.as_str().trim_end_matches('/'), host.as_str());
                prop_assert_eq!(is_loopback(&url), host.is_loopback());
                prop_assert!(crate::is_printable(host.as_str()));
            }
        }
    }

    #[test]
    fn shown_host_hides_password() {
        for (text, shown) in [
            ("https://a.example/v1", "https://a.example/v1"),
            ("a.example", "https://a.example"),
            ("http://u:SECRET@h/", "http://…@h/"),
            ("u:SECRET@h", "…@h"),
            ("http://u:SEC/RE@T@h/v1", "http://…@h/v1"),
            ("https://h/?key=SECRET", "https://h/?…"),
            ("https://h/#SECRET", "https://h/#…"),
            ("not a host", "not a host"),
        ] {
            assert_eq!(shown_host(text), shown);
        }
    }

    #[test]
    fn trailing_slashes_are_dropped() {
        assert_eq!(
            host("https://api.ntropii.com/v1//").as_str(),
            "https://api.ntropii.com/v1"
        );
        assert_eq!(
            host("https://api.ontora.com/").join("/v1/api-keys"),
            "https://api.ontora.com/v1/api-keys"
        );
        assert_eq!(
            host("api.ntropii.com/v1/"),
            host("https://api.ntropii.com:443/v1")
        );
        assert_eq!(
            host("http://[::1]:3000/a/v1").join("/me"),
            "http://[::1]:3000/a/v1/me"
        );
    }

    #[test]
    fn missing_scheme_defaults_to_https() {
        assert_eq!(
            host("api.ntropii.com/v1").as_str(),
            "https://api.ntropii.com/v1"
        );
        assert_eq!(
            host("localhost:3000/v1").as_str(),
            "http://localhost:3000/v1"
        );
        assert_eq!(host("127.0.0.1:3000").as_str(), "http://127.0.0.1:3000");
    }

    #[test]
    fn origin_is_normalised() {
        for text in [
            "https://API.ntropii.com:443/v1",
            "https://api.ntropii.com",
            "api.ntropii.com/x/",
        ] {
            assert_eq!(host(text).origin().as_str(), "https://api.ntropii.com");
        }
        assert_eq!(
            host("http://127.1:80/").origin().as_str(),
            "http://127.0.0.1"
        );
        assert_eq!(
            host("http://localhost:3000/v1").origin().as_str(),
            "http://localhost:3000"
        );
    }

    #[test]
    fn http_is_safe_on_loopback_only() {
        for text in [
            "http://localhost:1/",
            "http://a.localhost",
            "http://127.0.0.2",
            "http://[::1]",
            "https://example.com",
        ] {
            assert!(host(text).is_safe_transport(), "{text}");
        }
        for text in [
            "http://example.com",
            "http://localhost.example.com",
            "http://0.0.0.0",
            "http://192.168.1.1",
        ] {
            assert!(!host(text).is_safe_transport(), "{text}");
        }
    }

    #[test]
    fn invalid_host_error_hides_password() {
        let error = |text: &str| text.parse::<Host>().unwrap_err();
        assert_eq!(error("  "), HostError::Empty);
        assert_eq!(error("https://u:hunter2@example.com"), HostError::UserInfo);
        assert!(
            !error("https://u:hunter2@example.com")
                .to_string()
                .contains("hunter2")
        );
        assert_eq!(
            error("https://e.com/?a=b"),
            HostError::Trailing { what: "a query" }
        );
        assert_eq!(
            error("https://e.com/#a"),
            HostError::Trailing { what: "a fragment" }
        );
        assert_eq!(
            error("ftp://e.com"),
            HostError::Scheme {
                scheme: "ftp".into()
            }
        );
        assert!(matches!(error("https://"), HostError::NotAUrl { .. }));
        assert!(matches!(
            error("https://exa mple"),
            HostError::NotAUrl { .. }
        ));
        assert!(matches!(
            error(&"h".repeat(3_000)),
            HostError::TooLong { length: 3_000 }
        ));
    }
}

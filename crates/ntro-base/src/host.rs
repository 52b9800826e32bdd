//! The base URL of a service, and the origin that a key is bound to.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::http::is_loopback;

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
        /// The error of the URL parser.
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
    url: Url,
    text: String,
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
        Origin(self.url.origin().ascii_serialization())
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
        is_loopback(&self.url)
    }

    /// Returns whether a key may be sent there: over `https`, or unencrypted to loopback.
    #[must_use]
    pub fn is_safe_transport(&self) -> bool {
        self.is_https() || self.is_loopback()
    }

    /// Returns whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if text.len() > LONGEST {
            return Err(HostError::TooLong { length: text.len() });
        }
        let not_a_url = |error: url::ParseError| HostError::NotAUrl {
            reason: error.to_string(),
        };
        let url = if text.contains("://") {
            Url::parse(text).map_err(not_a_url)?
        } else {
            let secure: Self = Url::parse(&format!("https://{text}"))
                .map_err(not_a_url)?
                .try_into()?;
            if !secure.is_loopback() {
                return Ok(secure);
            }
            Url::parse(&format!("http://{text}")).map_err(not_a_url)?
        };
        url.try_into()
    }
}

impl TryFrom<Url> for Host {
    type Error = HostError;

    fn try_from(mut url: Url) -> Result<Self, Self::Error> {
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
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text })
    }
}

/// Returns the part of a host setting that is safe to show: a whole valid host, otherwise the text
/// without user name, password, query and fragment, which may hold secrets.
#[must_use]
pub fn shown_host(text: &str) -> String {
    // Fast path for long lists: a text without these characters needs no parsing.
    if !text.contains(['@', '?', '#']) {
        return text.to_owned();
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
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[test]
    fn shown_host_hides_password() {
        for (text, shown) in [
            ("https://a.example/v1", "https://a.example/v1"),
            ("a.example", "a.example"),
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

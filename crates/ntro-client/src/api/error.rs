//! Why a call failed.

use std::fmt;
use std::time::Duration;

use ntro_base::http::BadProxy;
use ntro_base::{Host, Origin, Period, Provider, TenantSlug};

/// The API that a call expects at a base URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The system whose API it is.
    pub provider: Provider,
    /// The base URL.
    pub host: Host,
}

/// The refusal of a server. All text is cleaned for the terminal and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The server.
    pub origin: Origin,
    /// The API that was expected there.
    pub expected: Expected,
    /// The HTTP status.
    pub status: u16,
    /// The server's message, in one sentence.
    pub message: Option<String>,
    /// The server's name for the error.
    pub code: Option<String>,
    /// The server's id of the request, for its operator.
    pub request_id: Option<String>,
    /// Whether the answer is a web page, so not one of this API.
    pub is_web_page: bool,
}

/// Returns whether a `Content-Type` names a web page.
pub(super) fn is_html(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        Ok(())
    }
}

/// Why no complete answer arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The name has no address.
    Dns,
    /// Nothing listens there.
    Refused,
    /// There is no route to the address.
    NoRoute,
    /// No connection or no complete answer in time.
    TimedOut,
    /// No secure connection, usually because the certificate is not trusted.
    Tls,
    /// The proxy cannot be reached or refuses the connection.
    Proxy,
    /// The connection was cut, or the answer was not HTTP.
    Cut,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the name cannot be resolved",
            Self::Refused => "the connection was refused",
            Self::NoRoute => "there is no route to it",
            Self::TimedOut => "no answer in time",
            Self::Tls => "no secure connection could be made",
            Self::Proxy => "the proxy did not pass the connection on",
            Self::Cut => "the connection was cut",
        })
    }
}

/// Why the body of a successful answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidResponse {
    /// It is empty.
    Empty,
    /// It is not JSON.
    NotJson {
        /// The `Content-Type` header, if there was one.
        content_type: Option<String>,
    },
    /// It is compressed, though no compression was asked for.
    Compressed {
        /// The `Content-Encoding` header.
        encoding: String,
    },
    /// It is JSON of another shape; the text says what is missing or wrong.
    Shape(String),
    /// It is larger than the limit.
    TooLarge {
        /// The most bytes that are read.
        limit: usize,
    },
}

impl InvalidResponse {
    /// Returns whether it is a web page, such as the log-in page of a network.
    #[must_use]
    pub fn is_web_page(&self) -> bool {
        matches!(self, Self::NotJson { content_type: Some(kind) } if is_html(kind))
    }
}

impl fmt::Display for InvalidResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::NotJson {
                content_type: Some(content_type),
            } if content_type.contains("json") => {
                write!(f, "it is not JSON, though it is called `{content_type}`")
            }
            Self::NotJson {
                content_type: Some(content_type),
            } => write!(f, "it is not JSON but `{content_type}`"),
            Self::NotJson { content_type: None } => f.write_str("it is not JSON"),
            Self::Compressed { encoding } => {
                write!(
                    f,
                    "it is compressed (`{encoding}`), which was not asked for"
                )
            }
            Self::Shape(what) => f.write_str(what),
            Self::TooLarge { limit } => write!(f, "it has more than {limit} bytes"),
        }
    }
}

/// Why a call failed. The variants differ in what a caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// 401: the key is missing, unknown, expired or revoked.
    #[error("`{origin}` rejected the API key ({0})", origin = .0.origin)]
    Rejected(Box<Refusal>),
    /// 403: the key is valid, but does not permit this.
    #[error("`{origin}` forbids this ({0})", origin = .0.origin)]
    Forbidden(Box<Refusal>),
    /// 404 from an endpoint that every server of this API has: the host or its path is wrong.
    #[error("`{origin}` knows nothing of this API ({0})", origin = .0.origin)]
    UnknownApi(Box<Refusal>),
    /// 404: not found, or not visible to this key.
    #[error("`{origin}` does not have this ({0})", origin = .0.origin)]
    NotFound(Box<Refusal>),
    /// 409: something existing conflicts.
    #[error("`{origin}` reports a conflict ({0})", origin = .0.origin)]
    Conflict(Box<Refusal>),
    /// 400 or 422: the server does not accept these values.
    #[error("`{origin}` does not take these values ({0})", origin = .0.origin)]
    Invalid(Box<Refusal>),
    /// 429, after all tries or because the server asks for a pause longer than the limit.
    #[error("`{}` limits the rate of calls ({refusal}){}", .refusal.origin, asks(*.retry_after))]
    RateLimited {
        /// The refusal.
        refusal: Box<Refusal>,
        /// The wait that the server requests.
        retry_after: Option<Duration>,
    },
    /// 408, 425, 502, 503, 504 or 520 to 524, after all tries: the server or its gateway is
    /// unavailable.
    #[error("`{}` is out of order ({refusal}){}", .refusal.origin, asks(*.retry_after))]
    Unavailable {
        /// The refusal.
        refusal: Box<Refusal>,
        /// The wait that the server requests.
        retry_after: Option<Duration>,
    },
    /// Any other status that is not a success.
    #[error("`{origin}` answered unexpectedly ({0})", origin = .0.origin)]
    Unexpected(Box<Refusal>),
    /// The server lacks this function.
    #[error("`{origin}` does not offer {what}")]
    NotOffered {
        /// The server.
        origin: Origin,
        /// The function.
        what: &'static str,
    },
    /// The key reaches another tenant than the requested one.
    #[error("the API key does not reach `{tenant}` but `{reachable}`")]
    OutOfReach {
        /// The server.
        origin: Origin,
        /// The requested tenant.
        tenant: TenantSlug,
        /// The tenant that the key reaches.
        reachable: TenantSlug,
    },
    /// No complete answer arrived, after all tries.
    #[error("cannot reach `{origin}`: {cause}{}", colon(detail))]
    Unreachable {
        /// The server.
        origin: Origin,
        /// The cause.
        cause: Cause,
        /// The message of the system or a library; may be empty.
        detail: String,
    },
    /// A variable that should name the proxy does not. Nothing was sent.
    #[error("{bad}")]
    Proxy {
        /// The server.
        origin: Origin,
        /// The variable, and what is wrong with it.
        bad: BadProxy,
    },
    /// Plain `http` to another machine. Nothing was sent.
    #[error("`{origin}` is plain `http` to another machine: a key would travel unencrypted")]
    InsecureTransport {
        /// The server.
        origin: Origin,
    },
    /// The key is bound to another origin. Nothing was sent.
    #[error("the API key belongs to `{bound}` and is not sent to `{origin}`")]
    WrongOrigin {
        /// The origin that the key is bound to.
        bound: Origin,
        /// The origin of the call.
        origin: Origin,
    },
    /// 3xx: redirects are never followed.
    #[error("`{origin}` answered with a redirect{}, which is not followed", redirect(.location.as_ref(), .target.as_deref()))]
    Redirected {
        /// The server.
        origin: Origin,
        /// The HTTP status.
        status: u16,
        /// The origin of the target, if it can be parsed.
        location: Option<Origin>,
        /// The target, if it is on the same server.
        target: Option<Box<Host>>,
        /// The base URL with which the call would have gone to the target.
        base: Option<Box<Host>>,
        /// The server's id of the request, for its operator.
        request_id: Option<String>,
    },
    /// A success whose body cannot be used, usually because another service answers.
    #[error("the answer of `{origin}` cannot be read: {misfit}")]
    NotUnderstood {
        /// The server.
        origin: Origin,
        /// The API that was expected there.
        expected: Box<Expected>,
        /// The HTTP status.
        status: u16,
        /// The problem with the body.
        misfit: InvalidResponse,
        /// The server's id of the request, for its operator.
        request_id: Option<String>,
    },
    /// A key was created, but its secret was lost and it could not be revoked.
    #[error("`{origin}` made the key `{id}`, but the answer with it was lost")]
    KeyLost {
        /// The server.
        origin: Origin,
        /// The id of the key, which is live and should be revoked.
        id: String,
    },
}

impl Error {
    /// Returns the server's id of the failed request, for its operator.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Redirected { request_id, .. } | Self::NotUnderstood { request_id, .. } => {
                request_id.as_deref()
            }
            _ => self.refusal()?.request_id.as_deref(),
        }
    }

    /// Returns the server's refusal, if it was one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Rejected(refusal)
            | Self::Forbidden(refusal)
            | Self::UnknownApi(refusal)
            | Self::NotFound(refusal)
            | Self::Conflict(refusal)
            | Self::Invalid(refusal)
            | Self::Unexpected(refusal)
            | Self::RateLimited { refusal, .. }
            | Self::Unavailable { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// Returns whether nothing of the call reached the server, or the server lacks the function.
    #[must_use]
    pub fn is_without_effect(&self) -> bool {
        match self {
            Self::NotOffered { .. }
            | Self::Proxy { .. }
            | Self::InsecureTransport { .. }
            | Self::WrongOrigin { .. } => true,
            Self::Unreachable { cause, .. } => !matches!(cause, Cause::TimedOut | Cause::Cut),
            _ => false,
        }
    }

    /// Returns the origin that was called.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Rejected(refusal)
            | Self::Forbidden(refusal)
            | Self::UnknownApi(refusal)
            | Self::NotFound(refusal)
            | Self::Conflict(refusal)
            | Self::Invalid(refusal)
            | Self::Unexpected(refusal)
            | Self::RateLimited { refusal, .. }
            | Self::Unavailable { refusal, .. } => &refusal.origin,
            Self::NotOffered { origin, .. }
            | Self::OutOfReach { origin, .. }
            | Self::Unreachable { origin, .. }
            | Self::Proxy { origin, .. }
            | Self::InsecureTransport { origin }
            | Self::WrongOrigin { origin, .. }
            | Self::Redirected { origin, .. }
            | Self::NotUnderstood { origin, .. }
            | Self::KeyLost { origin, .. } => origin,
        }
    }
}

fn asks(retry_after: Option<Duration>) -> String {
    const DAY: u64 = 24 * 60 * 60;

    let seconds = retry_after.map_or(0, |wait| wait.as_secs());
    match seconds.div_ceil(DAY) {
        0 => String::new(),
        _ if seconds < DAY => format!(" and asks to wait {seconds} s"),
        1 => " and asks to wait a day".to_owned(),
        days if seconds < Period::LONGEST.duration().as_secs() => {
            format!(" and asks to wait {days} days")
        }
        _ => " and asks to wait more than a hundred years".to_owned(),
    }
}

fn colon(detail: &str) -> String {
    if detail.is_empty() {
        String::new()
    } else {
        format!(" ({detail})")
    }
}

fn redirect(location: Option<&Origin>, target: Option<&Host>) -> String {
    match (target, location) {
        (Some(target), _) => format!(" to `{target}`"),
        (None, Some(origin)) => format!(" to `{origin}`"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_is_readable() {
        let wait = |seconds| asks(Some(Duration::from_secs(seconds)));
        assert_eq!(asks(None), "");
        assert_eq!(wait(0), "");
        assert_eq!(wait(3_600), " and asks to wait 3600 s");
        assert_eq!(wait(86_400), " and asks to wait a day");
        assert_eq!(wait(86_401), " and asks to wait 2 days");
        let endless = " and asks to wait more than a hundred years";
        assert_eq!(asks(Some(Duration::MAX)), endless);
        assert_eq!(wait(99_999_999_999), endless);
    }
}

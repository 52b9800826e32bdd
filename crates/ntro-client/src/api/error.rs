//! Why a call failed.

use std::fmt;
use std::time::Duration;

use ntro_base::http::BadProxy;
use ntro_base::{Origin, TenantSlug};

/// What a server said when it refused. All text is cleaned for the terminal and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Who said it.
    pub origin: Origin,
    /// The HTTP status.
    pub status: u16,
    /// One sentence for people, if there was one.
    pub message: Option<String>,
    /// The server's name for the error, if it gave one.
    pub code: Option<String>,
    /// What to quote to the server's keepers.
    pub request_id: Option<String>,
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

/// Why a server could not be reached, or was lost again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The name has no address.
    Dns,
    /// Nothing listens there.
    Refused,
    /// There is no way to the address.
    NoRoute,
    /// No connection or no complete answer in time.
    TimedOut,
    /// No secure connection: most often a certificate that is not trusted here.
    Tls,
    /// The proxy cannot be reached or would not pass the connection on.
    Proxy,
    /// The connection was cut, or what came over it was not HTTP.
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

/// What was wrong with an answer of status 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidResponse {
    /// Nothing at all.
    Empty,
    /// Not JSON at all; the content type that the server claimed.
    NotJson {
        /// The `Content-Type` header, if there was one.
        content_type: Option<String>,
    },
    /// JSON, but not what this endpoint answers; what is missing or wrong.
    Shape(String),
    /// More bytes than are read.
    TooLarge {
        /// How many are read at most.
        limit: usize,
    },
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
            Self::Shape(what) => f.write_str(what),
            Self::TooLarge { limit } => write!(f, "it has more than {limit} bytes"),
        }
    }
}

/// Why a call failed. The variants say what a caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// 401: the key is missing, unknown, expired or revoked.
    #[error("`{origin}` rejected the API key ({0})", origin = .0.origin)]
    Rejected(Box<Refusal>),
    /// 403: the key is good, but not for this.
    #[error("`{origin}` forbids this ({0})", origin = .0.origin)]
    Forbidden(Box<Refusal>),
    /// 404 where every server of this kind answers: another service is there, or another path.
    #[error("`{origin}` knows nothing of this API ({0})", origin = .0.origin)]
    UnknownApi(Box<Refusal>),
    /// 404: there is no such thing, or none that this key may see.
    #[error("`{origin}` does not have this ({0})", origin = .0.origin)]
    NotFound(Box<Refusal>),
    /// 409: what is there stands in the way.
    #[error("`{origin}` reports a conflict ({0})", origin = .0.origin)]
    Conflict(Box<Refusal>),
    /// 400 or 422: the server does not take these values.
    #[error("`{origin}` does not take these values ({0})", origin = .0.origin)]
    Invalid(Box<Refusal>),
    /// 429, after all tries or because the server asks for a longer pause than is waited.
    #[error("`{}` limits the rate of calls ({refusal}){}", .refusal.origin, asks(*.retry_after))]
    RateLimited {
        /// What the server said.
        refusal: Box<Refusal>,
        /// How long it asks to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// 502, 503 or 504, after all tries: the server, or what stands before it, is out of order.
    #[error("`{}` is out of order ({refusal}){}", .refusal.origin, asks(*.retry_after))]
    Unavailable {
        /// What the server said.
        refusal: Box<Refusal>,
        /// How long it asks to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// Any other status that is no success.
    #[error("`{origin}` answered unexpectedly ({0})", origin = .0.origin)]
    Unexpected(Box<Refusal>),
    /// This server has no such function.
    #[error("`{origin}` does not offer {what}")]
    NotOffered {
        /// Which server.
        origin: Origin,
        /// Which function.
        what: &'static str,
    },
    /// The key reaches another tenant than the one that was asked for.
    #[error("the API key does not reach `{tenant}` but `{reachable}`")]
    OutOfReach {
        /// Which server.
        origin: Origin,
        /// What was asked for.
        tenant: TenantSlug,
        /// What the key reaches.
        reachable: TenantSlug,
    },
    /// No complete answer came, after all tries.
    #[error("cannot reach `{origin}`: {cause}{}", colon(detail))]
    Unreachable {
        /// Which server.
        origin: Origin,
        /// What went wrong.
        cause: Cause,
        /// The system's or the library's own words; may be empty.
        detail: String,
    },
    /// A variable that is to name the proxy does not. Nothing was sent.
    #[error("{bad}")]
    Proxy {
        /// Which server was to be called.
        origin: Origin,
        /// Which variable, and what is wrong with it.
        bad: BadProxy,
    },
    /// Plain `http` to another machine. Nothing was sent.
    #[error("`{origin}` is plain `http` to another machine: a key would travel unencrypted")]
    InsecureTransport {
        /// Which server.
        origin: Origin,
    },
    /// The key is bound to another origin. Nothing was sent.
    #[error("the API key belongs to `{bound}` and is not sent to `{origin}`")]
    WrongOrigin {
        /// The origin that the key is bound to.
        bound: Origin,
        /// The origin that was to be called.
        origin: Origin,
    },
    /// 3xx: no redirect is ever followed.
    #[error("`{origin}` answered with a redirect{}, which is not followed", redirect(.location.as_ref()))]
    Redirected {
        /// Who answered.
        origin: Origin,
        /// The HTTP status.
        status: u16,
        /// Where it points to, if that can be read.
        location: Option<Origin>,
        /// What to quote to the server's keepers.
        request_id: Option<String>,
    },
    /// A success whose body cannot be used: most often another service answers there.
    #[error("the answer of `{origin}` cannot be read: {misfit}")]
    NotUnderstood {
        /// Who answered.
        origin: Origin,
        /// The HTTP status.
        status: u16,
        /// What was wrong.
        misfit: InvalidResponse,
        /// What to quote to the server's keepers.
        request_id: Option<String>,
    },
    /// A key was made, but the answer that held it was lost, and the key could not be revoked.
    #[error("`{origin}` made the key `{id}`, but the answer with it was lost")]
    KeyLost {
        /// Which server.
        origin: Origin,
        /// The id of the key, which is live and should be revoked.
        id: String,
    },
}

impl Error {
    /// Returns the server's id of the request that failed, to be quoted to its keepers.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Redirected { request_id, .. } | Self::NotUnderstood { request_id, .. } => {
                request_id.as_deref()
            }
            _ => self.refusal()?.request_id.as_deref(),
        }
    }

    /// Returns what the server said, when it was a refusal.
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
    retry_after.map_or_else(String::new, |wait| {
        format!(" and asks to wait {} s", wait.as_secs())
    })
}

fn colon(detail: &str) -> String {
    if detail.is_empty() {
        String::new()
    } else {
        format!(" ({detail})")
    }
}

fn redirect(location: Option<&Origin>) -> String {
    location.map_or_else(String::new, |origin| format!(" to `{origin}`"))
}

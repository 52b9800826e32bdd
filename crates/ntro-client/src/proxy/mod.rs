//! A reverse proxy that adds the key of a connection to the calls of programs that have none.
//!
//! A program gets a one-off token instead of the key. The proxy listens on this machine, forwards
//! calls that carry the token to one fixed server, and replaces the token by the key on the way.
//!
//! * Only the provider's own header carries the token, and only there the key is sent. All other
//!   credentials of a request are dropped, cookies in both directions included.
//! * Only paths below the base URL's are forwarded, in their normal form; what two servers may
//!   understand differently is refused. [`Rules`] allow fewer calls, or ask a person about them.
//! * A call that answers with a new key is refused.
//! * Bodies pass in both directions as they arrive, in bounded memory. Trailers are dropped.
//! * The key is masked wherever an answer repeats it. A compressed answer is refused.
//! * Redirects are passed on and not followed.
//! * A key that the server rejects is read again: it may have been rotated.
//! * The tokens are [`Tripwires`] at servers that have them.
//! * Each call is logged, or none is made.

mod admit;
mod approval;
mod ask;
mod body;
mod forward;
mod framing;
mod hang_up;
mod headers;
mod keys;
mod listener;
mod log;
mod path;
mod record;
mod refusal;
mod rules;
mod tripwires;
mod upstream;

pub use approval::Approver;
#[cfg(unix)]
pub use approval::{ApprovalMessage, AskedCall, PendingAnswer};
pub use forward::Timeouts;
pub use keys::{KeyFuture, KeySource, KeyUnavailable, SessionKeys};
pub use listener::Listener;
pub use log::{BrokenLog, CallLog, CheckedLog, Decision, LogEntry};
pub use rules::{Rule, RuleError, Rules};
pub use tripwires::Tripwires;

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::StatusCode;
use ntro_base::wire::errors::ErrorText;
use ntro_base::{Host, Origin, Provider, disk, printable};

use self::body::ProxyBody;
use self::forward::Forwarder;
use self::log::LogWriter;
use crate::api;
use crate::exec::OneOffToken;

/// The target of a proxy, its children and its limits.
pub struct Settings {
    /// The API that the server speaks.
    pub provider: Provider,
    /// The base URL of the server.
    pub host: Host,
    /// The name of the connection, if it has one.
    pub connection: Option<String>,
    /// Whether plain `http` may leave this machine.
    pub insecure_http: bool,
    /// The programs that may use the proxy.
    pub children: Vec<Child>,
    /// The calls that they may make.
    pub rules: Rules,
    /// Decides on the calls that a rule asks about.
    pub approver: Approver,
    /// The log of calls; none to log nothing.
    pub log: Option<PathBuf>,
    /// Gives the key.
    pub keys: Arc<dyn KeySource>,
    /// Connect timeout, user agent and proxies of the calls.
    pub calls: api::Settings,
    /// Limits of time.
    pub timeouts: Timeouts,
}

/// A program that may use a proxy.
pub struct Child {
    /// Its name in the log.
    pub name: String,
    /// Its process id, where it is known.
    pub pid: Option<u32>,
    /// The token that it presents in place of the key.
    pub token: OneOffToken,
}

impl Child {
    /// Makes a token for a program.
    ///
    /// # Errors
    ///
    /// Fails if the system has no random numbers.
    pub fn new(name: String, pid: Option<u32>, provider: Provider) -> Result<Self, Error> {
        let token = OneOffToken::generate(provider);
        let token = token.map_err(|error| Error::Random(error.to_string()))?;
        Ok(Self { name, pid, token })
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child({})", self.name)
    }
}

/// Why a proxy cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A rule matches no call.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The key would be sent unencrypted to another machine.
    #[error("`{origin}` is not encrypted and not on this machine")]
    InsecureTransport {
        /// The origin.
        origin: Origin,
    },
    /// The log cannot be written.
    #[error(transparent)]
    Log(#[from] disk::Error),
    /// The socket cannot be used.
    #[error("cannot listen: {0}")]
    Listener(#[from] io::Error),
    /// The system has no random numbers for a token.
    #[error("the system has no random numbers: {0}")]
    Random(String),
    /// The call that proves the key failed.
    #[error("{message} (HTTP {status})")]
    Check {
        /// The status of the answer: the server's, or 502, 503 or 504 for one of the proxy itself.
        status: u16,
        /// The message in the answer.
        message: String,
    },
}

/// A proxy that does not listen yet.
pub struct Proxy(Arc<Forwarder>);

impl Proxy {
    /// Makes a proxy. Opens the log; neither the store nor the network is used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        settings.rules.check(settings.host.path())?;
        if !settings.host.is_safe_transport() && !settings.insecure_http {
            return Err(Error::InsecureTransport {
                origin: settings.host.origin(),
            });
        }
        let log = settings.log.as_deref().map(LogWriter::open).transpose()?;
        Ok(Self(Arc::new(Forwarder::new(settings, log))))
    }

    /// Makes one call, for the owner of the key: it proves that the server accepts the key.
    pub async fn check(&self) -> Result<(), Error> {
        const LONGEST: usize = 1_000;

        let settings = self.0.settings();
        let origin = settings.host.origin();
        let call = async {
            let response = self.0.identity().await;
            let status = response.status();
            // Read to its end: the log has the call as broken off otherwise.
            (status, first_bytes(response.into_body()).await)
        };
        let answered = tokio::time::timeout(settings.calls.total_timeout, call).await;
        let (status, text) = answered.map_err(|_| Error::Check {
            status: StatusCode::GATEWAY_TIMEOUT.as_u16(),
            message: format!("`{origin}` does not answer"),
        })?;
        if status.is_success() {
            return Ok(());
        }
        let message = ErrorText::read(&text).message;
        let fallback = || match status {
            StatusCode::UNAUTHORIZED => "the server does not accept the key".to_owned(),
            _ => format!("`{origin}` did not confirm the key"),
        };
        Err(Error::Check {
            status: status.as_u16(),
            message: printable(&message.unwrap_or_else(fallback), LONGEST),
        })
    }

    /// Serves until `shutdown` is done, then lets calls under way finish, for a bounded time.
    pub async fn serve(
        self,
        listener: Listener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        Ok(listener::serve(self.0, listener, shutdown).await?)
    }
}

/// Reads the beginning of a body.
async fn first_bytes(mut body: ProxyBody) -> Vec<u8> {
    use hyper::body::Body as _;

    const MOST: usize = 64 << 10;

    let mut text = Vec::new();
    while text.len() < MOST {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await;
        match frame {
            Some(Ok(frame)) => text.extend(frame.into_data().unwrap_or_default()),
            Some(Err(_)) | None => break,
        }
    }
    text
}

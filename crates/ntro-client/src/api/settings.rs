//! The target and the settings of calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::LONGEST_DETAIL;
use crate::BoundKey;
use ntro_base::env::Env;
use ntro_base::http::{CustomRoots, Proxies};
use ntro_base::{Host, Period, Provider, printable};

/// A server and the key to call it with.
///
/// It needs no connection in the configuration, so that a login can use it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The API that the server speaks.
    pub provider: Provider,
    /// Its base URL.
    pub host: Host,
    /// The key; without one, requests carry no key.
    pub key: Option<BoundKey>,
    /// Whether plain `http` may leave this machine.
    pub insecure_http: bool,
}

/// Timeouts, retries and limits of calls.
#[derive(Clone)]
pub struct Settings {
    /// The timeout for a connection, TLS included.
    pub connect_timeout: Duration,
    /// The timeout for a whole call, all tries included.
    pub total_timeout: Duration,
    /// The most times that an idempotent request is sent.
    pub tries: u32,
    /// The pause after the first try. It doubles with each further one, and is randomised.
    pub backoff: Duration,
    /// The longest pause that a server may ask for. When it asks for more, the call fails with
    /// [`Error::RateLimited`](super::Error::RateLimited) or
    /// [`Error::Unavailable`](super::Error::Unavailable).
    pub retry_after_limit: Duration,
    /// The most bytes of an answer's body.
    pub max_body: usize,
    /// The value of the `User-Agent` header.
    pub user_agent: String,
    /// The proxies through which servers are called.
    pub proxies: Proxies,
    /// The certificates that are trusted instead of the system's.
    pub roots: CustomRoots,
    /// Receives warnings about answers. By default they are logged.
    pub report: Report,
}

/// Receives warnings.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("connect_timeout", &self.connect_timeout)
            .field("total_timeout", &self.total_timeout)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Returns the defaults, with the proxies and certificates that a snapshot of the environment
    /// names.
    #[must_use]
    pub fn from_env(env: &Env) -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            tries: 3,
            backoff: Duration::from_millis(250),
            retry_after_limit: Duration::from_secs(30),
            max_body: 1024 * 1024,
            user_agent: concat!("ntro/", env!("CARGO_PKG_VERSION")).to_owned(),
            proxies: Proxies::from_env(env),
            roots: CustomRoots::from_env(env),
            report: Arc::new(|warning| tracing::warn!("{warning}")),
        }
    }

    /// Returns why TLS failed: for bad certificates to trust, the variable that names them.
    pub(super) fn tls_detail(&self, detail: String) -> String {
        match self.roots.faults().next() {
            Some(bad) => printable(&bad.to_string(), LONGEST_DETAIL),
            None => detail,
        }
    }

    /// Returns when a call that begins at `start` times out.
    pub(super) fn deadline(&self, start: Instant) -> Instant {
        // An endless timeout would overflow the clock.
        start + self.total_timeout.min(Period::LONGEST.duration())
    }
}

impl Default for Settings {
    /// Returns the defaults, with the proxies of the process environment.
    fn default() -> Self {
        Self::from_env(&Env::from_process())
    }
}

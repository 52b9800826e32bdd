//! What a call needs to know before it is made.

use std::time::Duration;

use tokio::time::Instant;

use crate::BoundKey;
use ntro_base::env::Env;
use ntro_base::http::Proxies;
use ntro_base::{Host, Period, Provider};

/// Where calls go, and with which key: everything decided, nothing looked up.
///
/// Enough for a login that has no connection yet.
#[derive(Clone, Debug)]
pub struct Target {
    /// The system that is spoken there.
    pub provider: Provider,
    /// Its base URL.
    pub host: Host,
    /// The key, if there is one. Without, requests go out with no key at all.
    pub key: Option<BoundKey>,
    /// Whether plain `http` may leave this machine.
    pub insecure_http: bool,
}

/// How patient calls are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The time in which a connection must stand, TLS included.
    pub connect_timeout: Duration,
    /// The time for a call in all, over every try.
    pub total_timeout: Duration,
    /// How often an idempotent request is sent at most.
    pub tries: u32,
    /// The pause after the first try; it doubles with each further one and is then scattered.
    pub backoff: Duration,
    /// The longest pause that a server may ask for. When it asks for more, the call gives up at
    /// once and tells for how long.
    pub retry_after_limit: Duration,
    /// The largest answer that is read, in bytes.
    pub max_body: usize,
    /// The value of the `User-Agent` header.
    pub user_agent: String,
    /// The proxies through which servers are called.
    pub proxies: Proxies,
}

impl Settings {
    /// Returns the defaults, with the proxies that a snapshot of the environment names.
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
        }
    }

    /// Returns when a call that starts now is given up.
    pub(super) fn deadline(&self, start: Instant) -> Instant {
        // A time that does not fit beside today's date is for ever.
        start + self.total_timeout.min(Period::LONGEST.duration())
    }
}

impl Default for Settings {
    /// Returns the defaults, with the proxies of the process environment.
    fn default() -> Self {
        Self::from_env(&Env::from_process())
    }
}

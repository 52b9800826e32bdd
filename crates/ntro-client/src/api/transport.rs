//! What requests go out through: built on first use, shared by calls of the same kind.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::dns::Resolver;
use super::error::{Cause, Error};
use super::failure;
use super::proxy::Proxies;
use super::settings::Settings;
use ntro_base::Host;
use ntro_base::env::Env;

/// How long a connection over which nothing goes is kept. Long enough for the next of many checks
/// at the same server, too short for a thousand servers to use up the file descriptors.
const IDLE: Duration = Duration::from_secs(1);

/// What requests go out through. Clones share it.
///
/// Each [`Client`](super::Client) makes one of its own, on its first call. Whoever has many
/// clients makes one for all: to read the system's certificates takes longer than to ask a server,
/// and connections to the same server are used again. Nothing of a key is kept in it.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

struct Shared {
    connect_timeout: Duration,
    user_agent: String,
    idle: Option<Duration>,
    proxies: OnceLock<Proxies>,
    ways: [OnceLock<Result<reqwest::Client, String>>; 3],
}

/// Hosts that need the same client.
#[derive(Clone, Copy)]
enum Route {
    /// This machine, in plain `http`.
    Loopback,
    /// This machine, with TLS.
    LoopbackTls,
    /// Any other.
    Remote,
}

impl Route {
    fn to(host: &Host) -> Self {
        match (host.is_loopback(), host.is_https()) {
            (true, false) => Self::Loopback,
            (true, true) => Self::LoopbackTls,
            (false, _) => Self::Remote,
        }
    }
}

impl Transport {
    /// Makes one to be shared by many clients. Costs nothing before the first call.
    ///
    /// Of the settings, the time to connect and the user agent are its own; the rest is each
    /// client's.
    #[must_use]
    pub fn shared(settings: &Settings) -> Self {
        Self::new(settings, Some(IDLE))
    }

    pub(super) fn of_one(settings: &Settings) -> Self {
        Self::new(settings, None)
    }

    fn new(settings: &Settings, idle: Option<Duration>) -> Self {
        Self(Arc::new(Shared {
            connect_timeout: settings.connect_timeout,
            user_agent: settings.user_agent.clone(),
            idle,
            proxies: OnceLock::new(),
            ways: Default::default(),
        }))
    }

    pub(super) fn client(&self, host: &Host) -> Result<&reqwest::Client, Error> {
        let way = Route::to(host);
        if let Route::Remote = way {
            // The client reads the same variables by itself.
            let proxies = || Proxies::of(&Env::from_process());
            let proxies = self.0.proxies.get_or_init(proxies);
            proxies.check(host).map_err(|bad| Error::Proxy {
                origin: host.origin(),
                bad: bad.clone(),
            })?;
        }
        let client = self.0.ways[way as usize].get_or_init(|| self.0.build(way));
        client.as_ref().map_err(|detail| Error::Unreachable {
            origin: host.origin(),
            cause: Cause::Tls,
            detail: detail.clone(),
        })
    }
}

impl Shared {
    fn build(&self, way: Route) -> Result<reqwest::Client, String> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .http1_only()
            .dns_resolver(Arc::new(Resolver));
        if let Some(idle) = self.idle {
            builder = builder.pool_idle_timeout(idle);
        }
        builder = match way {
            // What stays on this machine is no proxy's business, whatever `NO_PROXY` says.
            Route::Loopback => builder.no_proxy().tls_backend_preconfigured(no_tls()?),
            Route::LoopbackTls => builder.no_proxy(),
            Route::Remote => builder,
        };
        builder.build().map_err(|error| failure::innermost(&error))
    }
}

/// A TLS configuration that trusts nobody, for connections that use none: it spares the reading
/// of the system's root certificates.
fn no_tls() -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

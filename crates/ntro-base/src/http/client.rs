use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{ClientBuilder, Proxy, redirect};
use url::Url;

use super::dns::Resolver;
use super::error::{ClientError, root_cause};
use super::{CustomRoots, NamedProxy, Proxies, is_loopback};

/// Sends requests by the rules of this module. Costs nothing before the first one.
pub struct HttpClient {
    user_agent: String,
    connect_timeout: Duration,
    /// How long an unused connection is kept; `None` for reqwest's default.
    idle_timeout: Option<Duration>,
    /// Whether servers may choose HTTP/2.
    http2: bool,
    proxies: Proxies,
    roots: CustomRoots,
    plain: OnceLock<Result<reqwest::Client, String>>,
    tls: OnceLock<Result<reqwest::Client, String>>,
}

impl HttpClient {
    /// Makes a client whose connections must be established within `connect_timeout`, TLS included.
    #[must_use]
    pub fn new(
        user_agent: &str,
        connect_timeout: Duration,
        proxies: Proxies,
        roots: CustomRoots,
    ) -> Self {
        Self {
            user_agent: user_agent.to_owned(),
            connect_timeout,
            idle_timeout: None,
            http2: false,
            proxies,
            roots,
            plain: OnceLock::new(),
            tls: OnceLock::new(),
        }
    }

    /// Sets how long an unused connection is kept.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Lets servers choose HTTP/2, on which all requests to one server share a connection.
    #[must_use]
    pub fn allow_http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Returns the client for requests to a URL.
    ///
    /// # Errors
    ///
    /// Returns an error when the URL's proxy is unusable or the system's certificates are.
    pub fn for_url(&self, url: &Url) -> Result<&reqwest::Client, ClientError> {
        self.proxies.find(url).map_err(Clone::clone)?;
        let client = match url.scheme() == "http" && is_loopback(url) {
            // Spares reading the system's root certificates.
            true => self.plain.get_or_init(|| {
                let nothing = tls_config(rustls::RootCertStore::empty(), false)?;
                // No proxy is used for this machine, so none is looked for at each call.
                let builder = self.builder().no_proxy();
                let builder = builder.tls_backend_preconfigured(nothing);
                builder.build().map_err(|error| root_cause(&error))
            }),
            false => self.tls.get_or_init(|| {
                let builder = self.roots.trusted_by(self.builder(), self.http2)?;
                builder.build().map_err(|error| root_cause(&error))
            }),
        };
        client
            .as_ref()
            .map_err(|error| ClientError::Tls(error.clone()))
    }

    /// Returns the proxy through which a URL is called.
    #[must_use]
    pub fn proxy(&self, url: &Url) -> Option<&NamedProxy> {
        self.proxies.find(url).ok().flatten()
    }

    fn builder(&self) -> ClientBuilder {
        let proxies = self.proxies.clone();
        let builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .default_headers(HeaderMap::from_iter([(
                ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            )]))
            .connect_timeout(self.connect_timeout)
            .redirect(redirect::Policy::none())
            .referer(false)
            .dns_resolver(Arc::new(Resolver))
            .proxy(Proxy::custom(move |url| {
                Some(proxies.find(url).ok()??.url.clone())
            }));
        let builder = match self.http2 {
            true => builder.http2_adaptive_window(true),
            false => builder.http1_only(),
        };
        match self.idle_timeout {
            Some(timeout) => builder.pool_idle_timeout(timeout),
            None => builder,
        }
    }
}

/// Returns a TLS configuration that trusts these certificates, and offers HTTP/2 if that is allowed:
/// reqwest offers nothing for a configuration that it did not make.
pub(super) fn tls_config(
    roots: rustls::RootCertStore,
    http2: bool,
) -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let offered: &[&[u8]] = match http2 {
        true => &[b"h2", b"http/1.1"],
        false => &[b"http/1.1"],
    };
    config.alpn_protocols = offered.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

//! The connections that clients share.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::error::{Cause, Error};
use super::failure::LONGEST_DETAIL;
use super::settings::Settings;
use ntro_base::http::{ClientError, HttpClient, NamedProxy};
use ntro_base::{Origin, printable};

/// How long a shared transport keeps an unused connection. Long enough for the next of many checks
/// of one server, too short for a thousand servers to use up the file descriptors.
const IDLE: Duration = Duration::from_secs(1);

/// The connections that requests are sent through. Clones share them.
///
/// Each [`Client`](super::Client) makes one on its first call. A program with many clients should
/// share one: reading the system's certificates takes longer than a call, and connections to the
/// same server are reused. A transport holds no key.
#[derive(Clone)]
pub struct Transport(Arc<HttpClient>);

impl Transport {
    /// Makes a transport for many clients. Costs nothing before the first call.
    ///
    /// The connect timeout, the user agent, the proxies and the trusted certificates are the
    /// transport's; all other settings stay each client's own.
    #[must_use]
    pub fn shared(settings: &Settings) -> Self {
        Self(Arc::new(http_client(settings).idle_timeout(IDLE)))
    }

    pub(super) fn of_one(settings: &Settings) -> Self {
        Self(Arc::new(http_client(settings)))
    }

    /// Returns the proxy through which a URL is called.
    pub(super) fn proxy(&self, url: &Url) -> Option<&NamedProxy> {
        self.0.proxy(url)
    }

    pub(super) fn client(
        &self,
        url: &Url,
        origin: &Origin,
        settings: &Settings,
    ) -> Result<&reqwest::Client, Error> {
        let origin = || origin.clone();
        self.0.for_url(url).map_err(|error| match error {
            ClientError::Proxy(bad) => Error::Proxy {
                origin: origin(),
                bad,
            },
            ClientError::Tls(detail) => Error::Unreachable {
                origin: origin(),
                cause: Cause::Tls,
                detail: settings.tls_detail(printable(&detail, LONGEST_DETAIL)),
            },
        })
    }
}

fn http_client(settings: &Settings) -> HttpClient {
    HttpClient::new(
        &settings.user_agent,
        settings.connect_timeout,
        settings.proxies.clone(),
        settings.roots.clone(),
    )
}

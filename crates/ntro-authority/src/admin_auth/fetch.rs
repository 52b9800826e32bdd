use std::time::Duration;

use serde_json::Value;
use url::Url;

use ntro_base::http::{CustomRoots, HttpClient, Proxies, read_body, root_cause};
use ntro_base::{Host, without_byte_order_mark};

/// The most bytes of a key set or a discovery document.
pub(super) const LARGEST_DOCUMENT: usize = 256 * 1024;
/// The timeout for a key set, discovery included.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Fetches JSON documents of issuers.
///
/// The server that answers decides who is an admin. On this machine, where plain `http` is allowed,
/// neither a proxy nor a resolver can take its place.
pub(crate) struct Fetcher(HttpClient);

impl Fetcher {
    pub(crate) fn new(proxies: Proxies, roots: CustomRoots) -> Self {
        Self(HttpClient::new(
            concat!("ntro/", env!("CARGO_PKG_VERSION")),
            FETCH_TIMEOUT,
            proxies,
            roots,
        ))
    }

    pub(super) async fn fetch(&self, url: &Url) -> Result<Value, String> {
        let client = self.0.for_url(url).map_err(|error| error.to_string())?;
        let failed = |error: reqwest::Error| root_cause(&error);
        let mut response = client.get(url.clone()).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()));
        }
        let body = read_body(&mut response, LARGEST_DOCUMENT).await;
        let body = body.map_err(failed)?.ok_or("too large")?;
        serde_json::from_slice(without_byte_order_mark(&body)).map_err(|error| error.to_string())
    }
}

/// Returns whether a document may be fetched from this URL: by `https` or from this machine, and
/// without a password.
pub(super) fn is_trustworthy(url: &Url) -> bool {
    // Unlike a host, a document may have a query.
    let mut base = url.clone();
    base.set_query(None);
    Host::try_from(base).is_ok_and(|host| host.is_safe_transport())
}

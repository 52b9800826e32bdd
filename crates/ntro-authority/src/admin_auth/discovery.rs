use serde_json::Value;
use url::Url;

use super::fetch::{Fetcher, is_trustworthy};
use crate::error::Error;
use ntro_base::shown_host;

/// The discovery document of an issuer, as OpenID Connect Discovery 1.0 defines it.
pub(crate) struct Discovery {
    issuer: String,
    url: Url,
}

impl Discovery {
    /// Checks that the issuer is a URL from which a document may be fetched.
    pub(super) fn new(issuer: &str) -> Result<Self, Error> {
        let url = Url::parse(issuer)
            .ok()
            .filter(|url| url.query().is_none() && is_trustworthy(url))
            .and_then(|url| {
                let base = url.as_str().trim_end_matches('/');
                Url::parse(&format!("{base}/.well-known/openid-configuration")).ok()
            });
        Ok(Self {
            issuer: issuer.to_owned(),
            url: url.ok_or_else(|| Error::DiscoveryUrl {
                issuer: shown_host(issuer),
            })?,
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Fetches the document and returns the URL of the issuer's key set.
    pub(super) async fn key_set_url(&self, fetcher: &Fetcher) -> Result<Url, String> {
        let document = fetcher.fetch(&self.url).await?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(&self.issuer) {
            return Err("the discovery document is of another issuer".to_owned());
        }
        text("jwks_uri")
            .and_then(|url| Url::parse(url).ok())
            .filter(is_trustworthy)
            .ok_or_else(|| "the discovery document names no usable `jwks_uri`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_url_gives_discovery_url() {
        for (issuer, url) in [
            ("https://id.example.com", "https://id.example.com"),
            ("https://id.example.com/", "https://id.example.com"),
            (
                "https://id.example.com/acme/",
                "https://id.example.com/acme",
            ),
            (
                "http://localhost:8080/realms/a",
                "http://localhost:8080/realms/a",
            ),
        ] {
            let url = format!("{url}/.well-known/openid-configuration");
            assert_eq!(Discovery::new(issuer).unwrap().url.as_str(), url);
        }
    }

    #[test]
    fn discovery_needs_trustworthy_url() {
        for issuer in [
            "http://id.example.com",
            "https://me:hunter2@id.example.com",
            "https://id.example.com/?tenant=hunter2",
            "https://id.example.com/#hunter2",
            "id.example.com",
            "urn:example:issuer",
            "",
        ] {
            let error = Discovery::new(issuer).err().unwrap().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

//! The keys that sign GitHub's reports of leaked keys.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use url::Url;

use crate::admin_auth::{Denied, FetchedKeySet, Fetcher, KeySetLocation, Pace};
use crate::error::Error;

/// The public keys of GitHub's secret scanning, fetched from their URL.
pub(crate) struct GithubKeys(FetchedKeySet<GithubKey>);

#[derive(Clone)]
struct GithubKey {
    id: String,
    key: Arc<ParsedPublicKey>,
}

impl GithubKeys {
    pub(crate) fn new(url: Url, fetcher: Arc<Fetcher>) -> Result<Self, Error> {
        let location = KeySetLocation::fixed(url)?;
        let keys = FetchedKeySet::new(location, github_keys, Pace::DEFAULT, fetcher);
        Ok(Self(keys))
    }

    /// Fetches the keys and returns their number.
    pub(crate) async fn count(&self) -> Result<usize, String> {
        Ok(self.0.fetch_in_time().await?.len())
    }

    /// Checks the signature of a body, which is in Base64, by the key with this id.
    pub(crate) async fn verify(
        &self,
        body: &[u8],
        key: &str,
        signature: &str,
    ) -> Result<(), Denied> {
        let signature = STANDARD.decode(signature);
        let signature = signature.map_err(|_| Denied::Invalid("signature is not Base64"))?;
        let is_it = |known: &&GithubKey| known.id == key;
        let found = self
            .0
            .find(|keys| keys.iter().filter(is_it).cloned().collect());
        let is_signed = |known: &GithubKey| known.key.verify_sig(body, &signature).is_ok();
        match found.await?.iter().any(is_signed) {
            true => Ok(()),
            false => Err(Denied::Invalid("signature of the report")),
        }
    }
}

/// Returns the usable keys of GitHub's list, and skips all others.
fn github_keys(list: &Value) -> Option<Vec<GithubKey>> {
    let keys = list.get("public_keys")?.as_array()?;
    let usable = keys.iter().filter_map(|key| {
        let pem = key.get("key")?.as_str()?;
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
        Some(GithubKey {
            id: key.get("key_identifier")?.as_str()?.to_owned(),
            key: Arc::new(ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &*der).ok()?),
        })
    });
    Some(usable.collect())
}

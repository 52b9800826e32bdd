use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Denied;
use super::discovery::Discovery;
use super::fetch::{Fetcher, LARGEST_DOCUMENT};
use super::fetched_keys::{FetchedKeySet, KeySetLocation, Pace};
use super::header::TokenHeader;
use super::public_key::{PublicKey, matching, public_keys};
use crate::error::Error;
use crate::settings::{Issuer, JwksSource};
use ntro_base::{disk, without_byte_order_mark};

/// The public keys of an issuer.
pub(super) enum KeySet {
    /// The built-in issuer's.
    Fixed(Vec<PublicKey>),
    /// Read for every token: the file is small, local, and may change at any time.
    File(PathBuf),
    Fetched(FetchedKeySet<PublicKey>),
}

impl KeySet {
    /// Checks the source of an issuer's keys. Reads a file, so that a wrong one fails the start and
    /// not the first admin; fetches nothing.
    pub(super) fn open(issuer: &Issuer, fetcher: &Arc<Fetcher>) -> Result<Self, Error> {
        let location = match &issuer.keys {
            JwksSource::File(path) => {
                read_keys(path)?;
                return Ok(Self::File(path.clone()));
            }
            JwksSource::Url(url) => KeySetLocation::fixed(url.clone())?,
            JwksSource::Discovery => KeySetLocation::Discovered(Discovery::new(&issuer.issuer)?),
        };
        let fetched = FetchedKeySet::new(location, public_keys, Pace::DEFAULT, fetcher.clone());
        Ok(Self::Fetched(fetched))
    }

    /// Returns the keys that may have signed a token with this header.
    pub(super) async fn candidates(&self, header: &TokenHeader) -> Result<Vec<PublicKey>, Denied> {
        match self {
            Self::Fixed(keys) => Ok(matching(keys, header)),
            Self::File(path) => match read_keys(path) {
                Ok(keys) => Ok(matching(&keys, header)),
                Err(error) => {
                    tracing::error!(%error, "the key set file cannot be used");
                    Err(Denied::Unavailable)
                }
            },
            Self::Fetched(fetched) => fetched.find(|keys| matching(keys, header)).await,
        }
    }
}

/// Fetches or reads the key set of an issuer, and returns the number of its usable keys.
pub(crate) async fn count_keys(issuer: &Issuer, fetcher: &Arc<Fetcher>) -> Result<usize, String> {
    let keys = match KeySet::open(issuer, fetcher) {
        Ok(KeySet::Fetched(set)) => set.fetch_in_time().await,
        Ok(KeySet::File(path)) => read_keys(&path).map_err(|error| error.to_string()),
        Ok(KeySet::Fixed(keys)) => Ok(keys),
        Err(error) => Err(error.to_string()),
    };
    Ok(keys?.len())
}

fn read_keys(path: &Path) -> Result<Vec<PublicKey>, disk::Error> {
    let cannot = |source: io::Error| disk::Error::io("read the key set", path)(source);
    let bytes = disk::read_bounded(path, LARGEST_DOCUMENT as u64)?
        .ok_or_else(|| cannot(io::Error::new(io::ErrorKind::NotFound, "no such file")))?;
    serde_json::from_slice(without_byte_order_mark(&bytes))
        .ok()
        .and_then(|set| public_keys(&set))
        .ok_or_else(|| cannot(io::Error::other("it holds no JSON Web Key Set")))
}

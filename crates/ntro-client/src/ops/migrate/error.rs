use crate::config;
use crate::secrets::{self, StoreKind};
use crate::{ops, resolve};
use ntro_base::disk;
use ntro_base::{ConnectionName, KeyPrefix, Policy};

use super::KeyLocation;

/// Why the key of a connection was not moved. It is where it was then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the files or the stores say stands in the way.
    #[error(transparent)]
    KeyRecord(#[from] ops::Error),
    /// Two places have different keys for one connection, and nothing says which is right.
    #[error("there are different keys for `{name}`: {}", listed(keys))]
    Conflict {
        /// The connection.
        name: ConnectionName,
        /// The head of each key, and where it lies.
        keys: Vec<(KeyPrefix, KeyLocation)>,
        /// The store that was to have the key.
        to: StoreKind,
    },
    /// The store gave out something else than what was put into it.
    #[error("the {store} did not keep the key of `{name}`")]
    NotKept {
        /// The store.
        store: StoreKind,
        /// The connection.
        name: ConnectionName,
    },
    /// The policy of the connection is against a key in the clear, or asks a person first.
    #[error(
        "the policy of `{name}` is `{policy}`, and in plain text anybody could take its API key from `config.toml`"
    )]
    Guarded {
        /// The connection.
        name: ConnectionName,
        /// Its policy.
        policy: Policy,
    },
    /// The connection was removed by somebody else while its key was on its way.
    #[error("the connection `{name}` was removed while its key was on its way to another store")]
    Gone {
        /// The connection.
        name: ConnectionName,
    },
    /// There is no file of the official Ontora client, or no key in it.
    #[error("there is no API key in `{}`", path.display())]
    NothingToImport {
        /// The file.
        path: std::path::PathBuf,
    },
}

impl Error {
    /// Returns whether a store has something in the place of the key that is none.
    pub(super) fn is_no_key(&self) -> bool {
        matches!(self, Self::KeyRecord(ops::Error::Store(error)) if error.is_no_key())
    }
}

fn listed(keys: &[(KeyPrefix, KeyLocation)]) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|(prefix, place)| format!("{prefix}… in {place}"))
        .collect();
    keys.join(", ")
}

impl From<config::Error> for Error {
    fn from(error: config::Error) -> Self {
        Self::KeyRecord(error.into())
    }
}

impl From<disk::Error> for Error {
    fn from(error: disk::Error) -> Self {
        Self::KeyRecord(error.into())
    }
}

impl From<resolve::Error> for Error {
    fn from(error: resolve::Error) -> Self {
        Self::KeyRecord(error.into())
    }
}

impl From<secrets::Error> for Error {
    fn from(error: secrets::Error) -> Self {
        Self::KeyRecord(error.into())
    }
}

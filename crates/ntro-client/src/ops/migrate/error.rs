use crate::config;
use crate::secrets::{self, StoreKind};
use crate::{ops, resolve};
use ntro_base::disk;
use ntro_base::{ConnectionName, KeyPrefix, Policy};

use super::KeyLocation;

/// Why the key of a connection was not moved. It is still where it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or a store prevents it.
    #[error(transparent)]
    KeyRecord(#[from] ops::Error),
    /// Two places have different keys for one connection, and the right one is unknown.
    #[error("there are different keys for `{name}`: {}", listed(keys))]
    Conflict {
        /// The connection.
        name: ConnectionName,
        /// The prefix of each key, and its location.
        keys: Vec<(KeyPrefix, KeyLocation)>,
        /// The target store.
        to: StoreKind,
    },
    /// The store returned something else than the stored key.
    #[error("the {store} did not keep the key of `{name}`")]
    NotKept {
        /// The store.
        store: StoreKind,
        /// The connection.
        name: ConnectionName,
    },
    /// The policy of the connection forbids plain text, or requires confirmation.
    #[error(
        "the policy of `{name}` is `{policy}`, and in plain text anybody could take its API key from `config.toml`"
    )]
    Guarded {
        /// The connection.
        name: ConnectionName,
        /// Its policy.
        policy: Policy,
    },
    /// The connection was removed by another process during the move.
    #[error("the connection `{name}` was removed while its key was on its way to another store")]
    Gone {
        /// The connection.
        name: ConnectionName,
    },
    /// The official Ontora client has no file, or no key in it.
    #[error("there is no API key in `{}`", path.display())]
    NothingToImport {
        /// The file.
        path: std::path::PathBuf,
    },
}

impl Error {
    /// Returns whether a store has an item for the key that is not a key.
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

//! The `plaintext` store: `api_key` in `config.toml`.
//!
//! It only protects against other users of the machine, by the file's mode 0600. It exists because
//! the official SDK reads it, and is used only when requested by name.

use std::sync::Arc;

use super::{Error, Item, SecretStore, StoreKind};
use ntro_base::disk::FileLock;
use ntro_base::{ApiKey, ConnectionName};

/// The keys in `config.toml`, which a higher module owns.
///
/// The file has one key for each connection without its origin, so an implementation keeps the key
/// and the host of a connection consistent.
pub trait PlainKeys: Send + Sync {
    /// Returns the key of a connection.
    fn get(&self, connection: &ConnectionName) -> Result<Option<ApiKey>, Error>;

    /// Sets or removes the key of a connection. Returns whether there was one before. On failure
    /// the file is unchanged.
    fn set(
        &self,
        connection: &ConnectionName,
        key: Option<&ApiKey>,
        lock: &FileLock,
    ) -> Result<bool, Error>;

    /// Returns the connections that have a key, with their origins, sorted.
    fn list(&self) -> Result<Vec<Item>, Error>;
}

pub(super) struct PlaintextStore {
    plain: Arc<dyn PlainKeys>,
}

impl PlaintextStore {
    pub(super) fn new(plain: Arc<dyn PlainKeys>) -> Self {
        Self { plain }
    }
}

impl SecretStore for PlaintextStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Plaintext
    }

    fn probe(&self) -> Result<(), Error> {
        self.plain.list().map(drop)
    }

    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error> {
        self.plain.get(&item.connection)
    }

    fn put(&self, item: &Item, key: &ApiKey, lock: &FileLock) -> Result<(), Error> {
        self.plain.set(&item.connection, Some(key), lock).map(drop)
    }

    fn erase(&self, item: &Item, lock: &FileLock) -> Result<bool, Error> {
        self.plain.set(&item.connection, None, lock)
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        self.plain.list()
    }
}

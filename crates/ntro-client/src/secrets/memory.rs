//! A store in the memory of this process, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Error, Item, SecretStore, StoreKind};
use ntro_base::ApiKey;
use ntro_base::disk::FileLock;

/// A store that lives as long as its process. Clones share its content.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    keys: Arc<Mutex<BTreeMap<Item, ApiKey>>>,
}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<Item, ApiKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretStore for MemoryStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }

    fn probe(&self) -> Result<(), Error> {
        Ok(())
    }

    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error> {
        Ok(self.keys().get(item).cloned())
    }

    fn put(&self, item: &Item, key: &ApiKey, _lock: &FileLock) -> Result<(), Error> {
        self.keys().insert(item.clone(), key.clone());
        Ok(())
    }

    fn erase(&self, item: &Item, _lock: &FileLock) -> Result<bool, Error> {
        Ok(self.keys().remove(item).is_some())
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        Ok(self.keys().keys().cloned().collect())
    }
}

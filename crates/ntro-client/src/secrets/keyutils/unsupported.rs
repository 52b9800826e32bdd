use std::path::Path;

use super::super::{Error, Item, SecretStore, StoreKind};
use ntro_base::ApiKey;
use ntro_base::disk::FileLock;

/// Other kernels have no such keyring.
pub(in super::super) struct KeyutilsStore;

impl KeyutilsStore {
    pub(in super::super) fn new(_folder: &Path) -> Self {
        Self
    }

    fn absent<T>(&self) -> Result<T, Error> {
        Err(Error::Absent {
            store: StoreKind::Keyutils,
            reason: "only the Linux kernel has one".to_owned(),
        })
    }
}

impl SecretStore for KeyutilsStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Keyutils
    }

    fn probe(&self) -> Result<(), Error> {
        self.absent()
    }

    fn get(&self, _item: &Item) -> Result<Option<ApiKey>, Error> {
        self.absent()
    }

    fn put(&self, _item: &Item, _key: &ApiKey, _lock: &FileLock) -> Result<(), Error> {
        self.absent()
    }

    fn erase(&self, _item: &Item, _lock: &FileLock) -> Result<bool, Error> {
        self.absent()
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        self.absent()
    }
}

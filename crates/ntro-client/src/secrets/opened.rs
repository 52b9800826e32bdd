use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Item, SecretStore, StoreKind, StoreSettings, open};
use ntro_base::ApiKey;
use ntro_base::disk::FileLock;

/// The stores, each opened once however often it is asked for.
///
/// For whoever takes many keys: what a store learns for one key, such as what is in an encrypted
/// file, it then knows for the next.
pub struct OpenedStores {
    settings: StoreSettings,
    opened: Mutex<BTreeMap<StoreKind, Arc<dyn SecretStore>>>,
}

impl OpenedStores {
    /// Opens none yet.
    #[must_use]
    pub fn new(settings: StoreSettings) -> Self {
        Self {
            settings,
            opened: Mutex::default(),
        }
    }

    /// Returns a store, the same one for the same kind.
    #[must_use]
    pub fn get(&self, kind: StoreKind) -> Box<dyn SecretStore> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let store = opened
            .entry(kind)
            .or_insert_with(|| Arc::from(open(kind, &self.settings)));
        Box::new(Opened(Arc::clone(store)))
    }
}

struct Opened(Arc<dyn SecretStore>);

impl SecretStore for Opened {
    fn kind(&self) -> StoreKind {
        self.0.kind()
    }

    fn probe(&self) -> Result<(), Error> {
        self.0.probe()
    }

    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error> {
        self.0.get(item)
    }

    fn put(&self, item: &Item, key: &ApiKey, lock: &FileLock) -> Result<(), Error> {
        self.0.put(item, key, lock)
    }

    fn erase(&self, item: &Item, lock: &FileLock) -> Result<bool, Error> {
        self.0.erase(item, lock)
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        self.0.list()
    }
}

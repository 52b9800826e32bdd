//! Keychain and Credential Manager, through the stock stores of the `keyring` crate.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::CredentialStore;

use super::super::{Error, StoreKind};
use super::{KeyringSettings, explain};

pub(super) struct Platform;

impl Platform {
    /// These stores take no attributes, and name their items themselves.
    pub(super) const MODIFIERS: bool = false;

    pub(super) fn new(_settings: KeyringSettings) -> Self {
        Self
    }

    /// What finds our items, and some others, which the caller leaves out.
    pub(super) fn ours() -> HashMap<&'static str, &'static str> {
        if cfg!(windows) {
            HashMap::from([("pattern", r"\.ntro$")])
        } else {
            HashMap::from([("service", super::SERVICE)])
        }
    }

    /// Neither needs unlocking before it is used: the system asks by itself.
    pub(super) fn probe(&self) -> Result<(), Error> {
        self.store().map(drop)
    }

    pub(super) fn store(&self) -> Result<Arc<CredentialStore>, Error> {
        let absent = |reason: String| Error::Absent {
            store: StoreKind::Keyring,
            reason,
        };
        // This is what sets the default store, once for the process.
        if let Err(error) = keyring::Entry::store_status() {
            return Err(absent(error.to_string()));
        }
        keyring_core::get_default_store()
            .ok_or_else(|| explain(keyring_core::Error::NoDefaultStore))
    }
}

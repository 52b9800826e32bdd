//! A system with no keyring that we know.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::CredentialStore;

use super::super::{Error, StoreKind};
use super::{Call, KeyringSettings};

pub(super) struct Platform;

impl Platform {
    pub(super) const MODIFIERS: bool = false;

    pub(super) fn new(_settings: KeyringSettings) -> Self {
        Self
    }

    pub(super) fn ours() -> HashMap<&'static str, &'static str> {
        HashMap::new()
    }

    pub(super) fn probe(&self) -> Result<(), Error> {
        self.store().map(drop)
    }

    pub(super) fn store(&self) -> Result<Arc<CredentialStore>, Error> {
        Err(Error::Absent {
            store: StoreKind::Keyring,
            reason: "this system has none that is known".to_owned(),
        })
    }

    /// Makes a call, of which there are none.
    #[expect(clippy::unused_self, reason = "the counterpart bounds it")]
    pub(super) fn run<T: Send + 'static>(
        &self,
        _call: Call,
        work: impl FnOnce() -> keyring_core::Result<T> + Send + 'static,
    ) -> keyring_core::Result<T> {
        work()
    }
}

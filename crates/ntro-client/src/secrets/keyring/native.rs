//! Keychain and Credential Manager, through the stock stores of the `keyring` crate.
//!
//! Their calls wait for as long as the system likes, so each is made in a thread of its own. One that
//! never returns is left behind, and ends with the process.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::CredentialStore;

use super::super::deadline::Budget;
use super::super::{Error, StoreKind};
use super::{Call, KeyringSettings, explain};

pub(super) struct Platform {
    interactive: bool,
    budget: Budget,
}

impl Platform {
    /// These stores take no attributes, and name their items themselves.
    pub(super) const MODIFIERS: bool = false;

    pub(super) fn new(settings: KeyringSettings) -> Self {
        Self {
            interactive: settings.interactive,
            budget: Budget::new(settings.timeout),
        }
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

    /// Makes a call within what is left of the time; where Keychain may ask a person, within the
    /// time that a person may take.
    pub(super) fn run<T: Send + 'static>(
        &self,
        call: Call,
        work: impl FnOnce() -> keyring_core::Result<T> + Send + 'static,
    ) -> keyring_core::Result<T> {
        let timed_out = |after, in_doubt| {
            keyring_core::Error::PlatformFailure(Box::new(Error::TimedOut {
                store: StoreKind::Keyring,
                after,
                in_doubt,
            }))
        };
        let bound = match self.interactive && cfg!(target_os = "macos") {
            true => KeyringSettings::PROMPT_TIMEOUT,
            false => {
                let left = self.budget.left();
                left.ok_or_else(|| timed_out(self.budget.allowed(), false))?
            }
        };
        match self.budget.wait_for(bound, work) {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(timed_out(bound, call == Call::Change)),
            Err(error) => Err(keyring_core::Error::PlatformFailure(Box::new(error))),
        }
    }
}

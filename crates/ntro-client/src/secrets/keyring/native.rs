//! Keychain and Credential Manager, through the stores of the `keyring` crate.
//!
//! Their calls block without a bound, so each runs in its own thread. A call that never returns
//! leaves its thread behind until the process ends.
//!
//! The feature `native-keyring-test` compiles this on Linux as well, over the Secret Service store
//! of the `keyring` crate.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::{CredentialStore, Entry};
use zeroize::Zeroizing;

use super::super::deadline::Budget;
use super::super::{Error, Item, StoreKind};
use super::{KeyringSettings, Platform, SERVICE};

pub(super) struct NativeKeyring {
    interactive: bool,
    budget: Budget,
}

/// Whether a call that timed out may still change something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Change,
}

impl NativeKeyring {
    pub(super) fn new(settings: KeyringSettings) -> Self {
        Self {
            interactive: settings.interactive,
            budget: Budget::new(settings.timeout),
        }
    }

    /// Opens the store and makes a call within the time that is left; where Keychain may ask a
    /// person, within the time that a person may take.
    fn run<T: Send + 'static>(
        &self,
        call: Call,
        work: impl FnOnce(&CredentialStore) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let timed_out = |after, in_doubt| Error::TimedOut {
            store: StoreKind::Keyring,
            after,
            in_doubt,
        };
        let bound = match self.interactive && cfg!(target_os = "macos") {
            true => KeyringSettings::PROMPT_TIMEOUT,
            false => {
                let left = self.budget.left();
                left.ok_or_else(|| timed_out(self.budget.allowed(), false))?
            }
        };
        let work = move || work(&*open()?).map_err(explain);
        match self.budget.wait_for(bound, work) {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(timed_out(bound, call == Call::Change)),
            Err(error) => Err(Error::Unavailable {
                store: StoreKind::Keyring,
                reason: error.to_string(),
            }),
        }
    }

    /// Makes a call on an item; `None` when there is no such item.
    fn run_on<T: Send + 'static>(
        &self,
        call: Call,
        item: &Item,
        work: impl FnOnce(Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let account = item.account();
        self.run(call, move |store| {
            match store.build(SERVICE, &account, None).and_then(work) {
                Err(keyring_core::Error::NoEntry) => Ok(None),
                outcome => outcome.map(Some),
            }
        })
    }
}

impl Platform for NativeKeyring {
    /// Opens the store. Neither system needs unlocking first: it asks when a key is used.
    fn probe(&self) -> Result<(), Error> {
        self.run(Call::Read, |_| Ok(()))
    }

    fn get(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let read = |entry: Entry| entry.get_secret().map(Zeroizing::new);
        self.run_on(Call::Read, item, read)
    }

    fn put(&self, item: &Item, secret: &[u8]) -> Result<(), Error> {
        let secret = Zeroizing::new(secret.to_vec());
        // As bytes: Windows stores text as two bytes a character.
        let write = move |entry: Entry| entry.set_secret(&secret);
        match self.run_on(Call::Change, item, write)? {
            Some(()) => Ok(()),
            None => Err(explain(keyring_core::Error::NoEntry)),
        }
    }

    fn erase(&self, item: &Item) -> Result<bool, Error> {
        let delete = |entry: Entry| entry.delete_credential();
        let deleted = self.run_on(Call::Change, item, delete)?;
        Ok(deleted.is_some())
    }

    fn accounts(&self) -> Result<Vec<String>, Error> {
        // Both patterns also find some items that are not ours.
        let pattern = match cfg!(windows) {
            true => ("pattern", r"\.ntro$"),
            false => ("service", SERVICE),
        };
        self.run(Call::Read, move |store| {
            let found = store.search(&HashMap::from([pattern]))?;
            let specifiers = found.iter().filter_map(Entry::get_specifiers);
            let ours = specifiers.filter(|(service, _)| service == SERVICE);
            Ok(ours.map(|(_, account)| account).collect())
        })
    }
}

/// Returns the store of the process, opening it in the first call.
fn open() -> Result<Arc<CredentialStore>, Error> {
    let absent = |reason| Error::Absent {
        store: StoreKind::Keyring,
        reason,
    };
    // This sets the default store.
    if let Err(error) = keyring::Entry::store_status() {
        return Err(absent(error.to_string()));
    }
    keyring_core::get_default_store().ok_or_else(|| absent("the system offers none".to_owned()))
}

fn explain(error: keyring_core::Error) -> Error {
    let store = StoreKind::Keyring;
    match error {
        // Reported for a keyring that is locked or whose prompt was cancelled.
        keyring_core::Error::NoStorageAccess(_) => Error::Locked { store },
        keyring_core::Error::PlatformFailure(error) => Error::Unavailable {
            store,
            reason: error.to_string(),
        },
        // The other variants can hold a secret; their messages do not show it.
        error => Error::Unavailable {
            store,
            reason: error.to_string(),
        },
    }
}

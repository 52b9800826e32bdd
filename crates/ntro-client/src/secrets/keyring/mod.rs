//! The `keyring` store: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! Protects keys at rest by the login of the user, and on a locked keyring also from programs that
//! run meanwhile. It does not protect them from programs of the same user while it is unlocked;
//! Keychain alone asks whether another program may have a key.
//!
//! All systems are spoken to through `keyring_core`. macOS and Windows use the stock stores of the
//! `keyring` crate, each call in a thread that is not waited for longer than the keyring may take;
//! on Linux a store of our own stands in their place, which gives up by itself. What is stored is found by other tools under the service
//! `ntro` and the user name `<connection>@<origin>`.

#[cfg_attr(
    any(target_os = "linux", target_os = "freebsd"),
    path = "secret_service/mod.rs"
)]
#[cfg_attr(any(target_os = "macos", target_os = "windows"), path = "native.rs")]
#[cfg_attr(
    not(any(
        target_os = "linux",
        target_os = "freebsd",
        target_os = "macos",
        target_os = "windows"
    )),
    path = "unsupported.rs"
)]
mod platform;
mod settings;

pub use settings::KeyringSettings;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use keyring_core::Entry;
use zeroize::Zeroizing;

use super::{Error, Item, SecretStore, StoreKind};
use ntro_base::ApiKey;
use ntro_base::disk::FileLock;
use platform::Platform;

/// The service under which every item is stored.
const SERVICE: &str = "ntro";

/// What is done if an answer does not come in time: nothing, or perhaps something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Read,
    Change,
}

/// The keyring of this system.
///
/// Clones share one connection to it, which the first call makes, and one bound on the time that
/// it may stay silent: a process makes one keyring and clones it.
#[derive(Clone)]
pub struct Keyring {
    platform: Arc<Platform>,
}

impl Keyring {
    /// Makes a keyring. Does no input or output.
    #[must_use]
    pub fn new(settings: KeyringSettings) -> Self {
        Self {
            platform: Arc::new(Platform::new(settings)),
        }
    }

    fn entry(&self, item: &Item) -> Result<Entry, Error> {
        let label = item.label();
        let description = HashMap::from([
            ("label", label.as_str()),
            ("connection", item.connection.as_str()),
            ("origin", item.origin.as_str()),
            ("application", SERVICE),
        ]);
        let modifiers = Platform::MODIFIERS.then_some(&description);
        self.platform
            .store()?
            .build(SERVICE, &item.account(), modifiers)
            .map_err(explain)
    }
}

impl SecretStore for Keyring {
    fn kind(&self) -> StoreKind {
        StoreKind::Keyring
    }

    fn probe(&self) -> Result<(), Error> {
        self.platform.probe()
    }

    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error> {
        let entry = self.entry(item)?;
        let read = move || entry.get_secret().map(Zeroizing::new);
        let secret = match self.platform.run(Call::Read, read) {
            Ok(secret) => secret,
            Err(keyring_core::Error::NoEntry) => return Ok(None),
            Err(error) => return Err(explain(error)),
        };
        // What is not text is not a key either, and comes out as one that says so.
        let text = String::from_utf8_lossy(&secret).into_owned();
        match ApiKey::from_secret(text) {
            Ok(key) => Ok(Some(key)),
            Err(reason) => Err(Error::NotAKey {
                store: StoreKind::Keyring,
                account: item.account(),
                reason: reason.to_string(),
            }),
        }
    }

    fn put(&self, item: &Item, key: &ApiKey, _lock: &FileLock) -> Result<(), Error> {
        let (entry, key) = (self.entry(item)?, key.clone());
        // As bytes: as text, Windows would store two bytes for each character.
        let write = move || entry.set_secret(key.expose().as_bytes());
        self.platform.run(Call::Change, write).map_err(explain)
    }

    fn erase(&self, item: &Item, _lock: &FileLock) -> Result<bool, Error> {
        let entry = self.entry(item)?;
        let delete = move || entry.delete_credential();
        match self.platform.run(Call::Change, delete) {
            Ok(()) => Ok(true),
            Err(keyring_core::Error::NoEntry) => Ok(false),
            Err(error) => Err(explain(error)),
        }
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        let store = self.platform.store()?;
        let search = move || store.search(&Platform::ours());
        let found = self.platform.run(Call::Read, search);
        let mut items: Vec<Item> = found
            .map_err(explain)?
            .iter()
            .filter_map(Entry::get_specifiers)
            .filter(|(service, _)| service == SERVICE)
            .filter_map(|(_, account)| Item::from_account(&account))
            .collect();
        items.sort_unstable();
        items.dedup();
        Ok(items)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

/// Takes our own error out of theirs, or says what theirs means.
fn explain(error: keyring_core::Error) -> Error {
    let store = StoreKind::Keyring;
    let own = |error: keyring_core::error::PlatformError, other: fn(String) -> Error| match error
        .downcast::<Error>(
    ) {
        Ok(error) => *error,
        Err(error) => other(error.to_string()),
    };
    match error {
        keyring_core::Error::PlatformFailure(error) => own(error, |reason| Error::Unavailable {
            store: StoreKind::Keyring,
            reason,
        }),
        // The stock stores say this of a keyring that is locked, or that a person closed.
        keyring_core::Error::NoStorageAccess(error) => own(error, |_| Error::Locked {
            store: StoreKind::Keyring,
        }),
        keyring_core::Error::NoDefaultStore => Error::Absent {
            store,
            reason: "the system offers none".to_owned(),
        },
        // What the rest holds may be a secret; their messages show none of it.
        error => Error::Unavailable {
            store,
            reason: error.to_string(),
        },
    }
}

//! The `keyring` store: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! It protects keys at rest by the login of the user, and while the keyring is locked also from
//! running programs. An unlocked keyring protects nothing from other programs of the same user;
//! only Keychain asks before another program reads a key.
//!
//! macOS and Windows use the stores of the `keyring` crate. Linux has its own client of the Secret
//! Service, which bounds every wait, connects once and distinguishes locked, empty and absent. Other
//! tools find the keys under the service `ntro` and the user name `<connection>@<origin>`.

#[cfg(any(target_os = "macos", windows, feature = "native-keyring-test"))]
mod native;
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
mod secret_service;
mod settings;
#[cfg(not(any(
    target_os = "linux",
    target_os = "freebsd",
    target_os = "macos",
    windows
)))]
mod unsupported;

pub use settings::KeyringSettings;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Error, Item, SecretStore, StoreKind};
use ntro_base::ApiKey;
use ntro_base::disk::FileLock;

#[cfg(any(target_os = "macos", windows))]
use native::NativeKeyring as SystemKeyring;
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
use secret_service::SecretService as SystemKeyring;
#[cfg(not(any(
    target_os = "linux",
    target_os = "freebsd",
    target_os = "macos",
    windows
)))]
use unsupported::NoKeyring as SystemKeyring;

/// The service name of every stored item.
const SERVICE: &str = "ntro";

/// The operations of a system's keyring, on bytes.
trait Platform: Send + Sync {
    fn probe(&self) -> Result<(), Error>;

    fn get(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, Error>;

    fn put(&self, item: &Item, secret: &[u8]) -> Result<(), Error>;

    fn erase(&self, item: &Item) -> Result<bool, Error>;

    /// Returns the user name of every item of the service `ntro`.
    fn accounts(&self) -> Result<Vec<String>, Error>;
}

/// The keyring of this system.
///
/// Clones share one connection, which the first call opens, and one time budget: a process creates
/// one keyring and clones it.
#[derive(Clone)]
pub struct Keyring {
    platform: Arc<dyn Platform>,
}

impl Keyring {
    /// Creates a keyring. Does no input or output.
    #[must_use]
    pub fn new(settings: KeyringSettings) -> Self {
        Self {
            platform: Arc::new(SystemKeyring::new(settings)),
        }
    }

    /// Creates a keyring over the `keyring` crate, as on macOS and Windows.
    #[cfg(feature = "native-keyring-test")]
    #[must_use]
    pub fn native(settings: KeyringSettings) -> Self {
        Self {
            platform: Arc::new(native::NativeKeyring::new(settings)),
        }
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
        let Some(secret) = self.platform.get(item)? else {
            return Ok(None);
        };
        // Invalid UTF-8 becomes text that `ApiKey` rejects.
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
        self.platform.put(item, key.expose().as_bytes())
    }

    fn erase(&self, item: &Item, _lock: &FileLock) -> Result<bool, Error> {
        self.platform.erase(item)
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        let accounts = self.platform.accounts()?;
        let mut items: Vec<Item> = accounts
            .iter()
            .filter_map(|account| Item::from_account(account))
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

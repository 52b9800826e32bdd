//! Secret stores for keys, behind one small trait.
//!
//! Opening a store has no effect. [`SecretStore::probe`] checks whether it can store a key now, and
//! [`Error`] distinguishes the reasons why it cannot. Calls block, so asynchronous callers run them
//! on a thread for blocking work.
//!
//! Every key is stored as an [`Item`]: the name of its connection and the one origin that it may be
//! sent to. A connection that is pointed to another origin therefore has no key.

mod command;
mod config_keys;
#[cfg(any(
    target_os = "linux",
    target_os = "freebsd",
    target_os = "macos",
    target_os = "windows"
))]
mod deadline;
mod error;
mod file;
mod item;
#[cfg(target_os = "linux")]
mod kernel_key;
mod keyring;
mod keyutils;
mod kind;
mod memory;
mod passphrase;
mod plaintext;
mod settings;
mod stores;
mod unlocked;

pub use command::{CommandSettings, Missing};
pub use config_keys::ConfigKeys;
pub use error::{Error, HelperCall, HelperFault};
pub use file::{create_identity, identity_beside_keys};
pub use item::Item;
pub use keyring::{Keyring, KeyringSettings};
pub use kind::{StoreKind, UnknownStore};
pub use memory::MemoryStore;
pub use passphrase::{Passphrase, PassphraseFor};
pub use plaintext::PlainKeys;
pub use settings::StoreSettings;
pub use stores::Stores;
pub use unlocked::{NotKept, Unlocked};

use ntro_base::ApiKey;
use ntro_base::disk::FileLock;

/// A store of keys.
///
/// Writing requires the lock of the folder of `ntro`, which the caller holds for the whole change
/// of a connection, so that the changes of two writers do not mix.
pub trait SecretStore: Send + Sync {
    /// Returns the kind of the store.
    fn kind(&self) -> StoreKind;

    /// Checks whether a key can be stored now, before a person is asked for one.
    ///
    /// A locked store is unlocked through the system's prompt if a person can answer it. Nothing is
    /// written.
    ///
    /// # Errors
    ///
    /// Returns the reason why no key can be stored.
    fn probe(&self) -> Result<(), Error>;

    /// Returns the key of an item, or `None` if the store has none.
    ///
    /// # Errors
    ///
    /// Fails when the store is locked or hangs: neither counts as empty.
    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error>;

    /// Stores the key of an item and replaces an older one.
    ///
    /// # Errors
    ///
    /// Fails when the key was not stored; only [`Error::TimedOut`] leaves that uncertain.
    fn put(&self, item: &Item, key: &ApiKey, lock: &FileLock) -> Result<(), Error>;

    /// Erases the key of an item. Returns `false` when there was none.
    ///
    /// # Errors
    ///
    /// Fails when the key still exists; only [`Error::TimedOut`] leaves that uncertain.
    fn erase(&self, item: &Item, lock: &FileLock) -> Result<bool, Error>;

    /// Returns the stored items in order, without unlocking anything.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be reached, or cannot be read while locked.
    fn list(&self) -> Result<Vec<Item>, Error>;
}

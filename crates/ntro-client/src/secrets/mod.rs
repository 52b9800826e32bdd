//! Where keys are kept: the secret stores behind one small trait.
//!
//! A store is opened without touching anything, is asked by [`SecretStore::probe`] whether a key
//! could be kept there now, and tells the ways in which it cannot apart in [`Error`]. Calls block,
//! so asynchronous callers run them on a thread for blocking work.
//!
//! Every key is stored as an [`Item`]: under the name of its connection and the one origin it may
//! be sent to. A connection that is pointed at another origin therefore has no key.

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
mod keyring;
mod keyutils;
mod kind;
mod memory;
mod passphrase;
mod plaintext;
mod settings;
mod stores;

pub use command::{CommandSettings, Missing};
pub use config_keys::ConfigKeys;
pub use error::{Error, HelperCall, HelperFault};
pub use file::create_identity;
pub use item::Item;
pub use keyring::{Keyring, KeyringSettings};
pub use kind::{StoreKind, UnknownStore};
pub use memory::MemoryStore;
pub use passphrase::{Passphrase, PassphraseFor};
pub use plaintext::PlainKeys;
pub use settings::StoreSettings;
pub use stores::Stores;

use ntro_base::ApiKey;
use ntro_base::disk::FileLock;

/// A place that keeps keys.
///
/// Writing asks for the lock of the folder of `ntro`, which the caller holds over the whole
/// change of a connection, so that no two writers mix theirs.
pub trait SecretStore: Send + Sync {
    /// Returns which store this is.
    fn kind(&self) -> StoreKind;

    /// Finds out whether a key could be stored now, before a person is asked for one.
    ///
    /// A locked store is unlocked through the system's own prompt when somebody is there to
    /// answer it. Nothing is written.
    ///
    /// # Errors
    ///
    /// Says what stands in the way.
    fn probe(&self) -> Result<(), Error>;

    /// Returns the key of an item, or `None` when the store answers that it has none.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot tell: a locked or hung store is never taken for an empty one.
    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error>;

    /// Stores the key of an item, in the place of an older one.
    ///
    /// # Errors
    ///
    /// Fails when the key was not stored; only [`Error::TimedOut`] may leave that in doubt.
    fn put(&self, item: &Item, key: &ApiKey, lock: &FileLock) -> Result<(), Error>;

    /// Erases the key of an item. Returns `false` when there was none.
    ///
    /// # Errors
    ///
    /// Fails when the key is still there; only [`Error::TimedOut`] may leave that in doubt.
    fn erase(&self, item: &Item, lock: &FileLock) -> Result<bool, Error>;

    /// Returns the items that are stored, in order, without unlocking anything.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be asked, or cannot be read while it is locked.
    fn list(&self) -> Result<Vec<Item>, Error>;
}

use std::path::PathBuf;
use std::sync::Arc;

use super::command::CommandStore;
use super::file::FileStore;
use super::keyutils::KeyutilsStore;
use super::plaintext::PlaintextStore;
use super::{
    CommandSettings, ConfigKeys, Keyring, KeyringSettings, MemoryStore, Passphrase, PlainKeys,
    SecretStore, StoreKind,
};
use crate::config::NtroDir;

/// The settings that stores are opened with.
///
/// Clones share the keyring's connection and its timeout, and the passphrase once it is known.
#[derive(Clone)]
pub struct StoreSettings {
    /// The folder of `ntro`.
    pub folder: PathBuf,
    /// The keyring of this system.
    pub keyring: Keyring,
    /// The age identity or SSH key that opens the encrypted file. Without one, `identity.txt` in
    /// the folder if it exists, else the passphrase.
    pub identity: Option<PathBuf>,
    /// Where the passphrase of the encrypted file comes from.
    pub passphrase: Passphrase,
    /// The helpers of the `command` store, where they are configured.
    pub command: Option<CommandSettings>,
    /// Receives each line that a helper writes to standard error, cleaned for a terminal.
    pub report: Arc<dyn Fn(&str) + Send + Sync>,
    /// The keys in `config.toml`.
    pub plain: Arc<dyn PlainKeys>,
}

impl StoreSettings {
    /// Returns settings for the stores of a folder, without a passphrase prompt, a session bus or
    /// helpers.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            keyring: Keyring::new(KeyringSettings {
                timeout: KeyringSettings::TIMEOUT,
                session_bus: None,
                interactive: false,
            }),
            identity: None,
            passphrase: Passphrase::none(),
            command: None,
            report: Arc::new(|_| ()),
            plain: Arc::new(ConfigKeys::new(NtroDir::at(&folder).config())),
            folder,
        }
    }

    /// Opens a store. Does no I/O: the first call to the store does.
    #[must_use]
    pub fn open(&self, kind: StoreKind) -> Box<dyn SecretStore> {
        match kind {
            StoreKind::Keyring => Box::new(self.keyring.clone()),
            StoreKind::Memory => Box::new(MemoryStore::new()),
            StoreKind::File => Box::new(FileStore::new(self)),
            StoreKind::Dev => Box::new(FileStore::of_dev(self)),
            StoreKind::Keyutils => Box::new(KeyutilsStore::new(&self.folder)),
            StoreKind::Command => {
                Box::new(CommandStore::new(self.command.clone(), self.report.clone()))
            }
            StoreKind::Plaintext => Box::new(PlaintextStore::new(self.plain.clone())),
        }
    }
}

use std::path::PathBuf;
use std::sync::Arc;

use super::{CommandSettings, Keyring, Passphrase, PlainKeys};

/// What the stores need to know.
///
/// Clones share the keyring's connection and its time, and the passphrase that was given once.
#[derive(Clone)]
pub struct StoreSettings {
    /// The folder of `ntro`.
    pub folder: PathBuf,
    /// The keyring of this system.
    pub keyring: Keyring,
    /// The age identity or SSH key that opens the encrypted file. Without one, `identity.txt` in the folder
    /// if it exists, else the passphrase.
    pub identity: Option<PathBuf>,
    /// Where the passphrase of the encrypted file comes from.
    pub passphrase: Passphrase,
    /// The helpers of the `command` store, where they are configured.
    pub command: Option<CommandSettings>,
    /// Takes what a helper says on standard error, line by line, made fit for a terminal.
    pub report: Arc<dyn Fn(&str) + Send + Sync>,
    /// The keys in `config.toml`.
    pub plain: Arc<dyn PlainKeys>,
}

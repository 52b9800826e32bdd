use std::path::PathBuf;
use std::sync::Arc;

use super::{Keyring, Passphrase, PlainKeys};

/// What the stores need to know.
///
/// Clones share the keyring's connection and its time, and the passphrase that was given once.
#[derive(Clone)]
pub struct StoreSettings {
    /// The folder of `ntro`.
    pub folder: PathBuf,
    /// The keyring of this system.
    pub keyring: Keyring,
    /// The age identity that opens the encrypted file. Without one, `identity.txt` in the folder
    /// if it exists, else the passphrase.
    pub identity: Option<PathBuf>,
    /// Where the passphrase of the encrypted file comes from.
    pub passphrase: Passphrase,
    /// The keys in `config.toml`.
    pub plain: Arc<dyn PlainKeys>,
}

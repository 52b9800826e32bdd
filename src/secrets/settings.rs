use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Passphrase, PlainKeys};

/// What the stores need to know. Clones share the passphrase that was given once.
#[derive(Clone)]
pub struct StoreSettings {
    /// The folder of `ntro`.
    pub folder: PathBuf,
    /// How long a keyring may stay silent, over all calls together.
    pub keyring_timeout: Duration,
    /// Whether a person is there to answer a prompt.
    pub interactive: bool,
    /// The age identity that opens the encrypted file. Without one, `identity.txt` in the folder
    /// if it exists, else the passphrase.
    pub identity: Option<PathBuf>,
    /// Where the passphrase of the encrypted file comes from.
    pub passphrase: Passphrase,
    /// The keys in `config.toml`.
    pub plain: Arc<dyn PlainKeys>,
}

impl StoreSettings {
    /// How long a keyring may stay silent when nothing else is said.
    pub const KEYRING_TIMEOUT: Duration = Duration::from_secs(3);
}

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Passphrase, PlainKeys};
use crate::env::{self, Env};

/// What the stores need to know. Clones share the passphrase that was given once.
#[derive(Clone)]
pub struct StoreSettings {
    /// The folder of `ntro`.
    pub folder: PathBuf,
    /// How long a keyring may stay silent, over all calls together.
    pub keyring_timeout: Duration,
    /// The address of the session bus on which the Secret Service is found, on systems with one.
    pub session_bus: Option<String>,
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

    /// Returns the address of the session bus that the environment names, if it names one.
    #[must_use]
    pub fn session_bus(env: &Env) -> Option<String> {
        if let Ok(Some(address)) = env.text(&env::DBUS_SESSION_BUS_ADDRESS) {
            return Some(address.to_owned());
        }
        let socket = env.path(&env::XDG_RUNTIME_DIR)?.join("bus");
        Some(format!("unix:path={}", socket.to_str()?))
    }
}

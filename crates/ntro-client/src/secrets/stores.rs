use std::fmt;
use std::sync::OnceLock;

use super::{SecretStore, StoreKind, StoreSettings};

/// The secret stores of a command.
///
/// Each is opened once, when it is first asked for, and keeps what it has unlocked: a file that
/// was decrypted is not decrypted again, and a passphrase is not asked for twice.
pub struct Stores {
    settings: StoreSettings,
    opened: [OnceLock<Box<dyn SecretStore>>; StoreKind::COUNT],
}

impl Stores {
    /// Opens no store yet.
    #[must_use]
    pub fn new(settings: StoreSettings) -> Self {
        Self {
            settings,
            opened: Default::default(),
        }
    }

    /// Uses a store that is open already for a kind.
    #[must_use]
    pub fn with(mut self, kind: StoreKind, store: Box<dyn SecretStore>) -> Self {
        self.opened[kind as usize] = store.into();
        self
    }

    /// Returns a store: the same one for the same kind. Does no I/O; the first call to the store
    /// does.
    #[must_use]
    pub fn get(&self, kind: StoreKind) -> &dyn SecretStore {
        let store = self.opened[kind as usize].get_or_init(|| self.settings.open(kind));
        &**store
    }

    /// Returns what the stores are opened with.
    #[must_use]
    pub fn settings(&self) -> &StoreSettings {
        &self.settings
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opened = self.opened.iter().filter_map(OnceLock::get);
        f.debug_list()
            .entries(opened.map(|store| store.kind()))
            .finish()
    }
}

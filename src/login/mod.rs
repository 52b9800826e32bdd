//! Changing what is stored: log in, log out, rename, remove.
//!
//! Each is one change of three places: the secret store, `logins.toml` and `config.toml`. It is
//! made under the one lock of the folder, from files read after taking it, and in an order that
//! leaves something usable wherever it is cut off: a key is in its store before a connection is
//! written that counts on it, and out of it before the connection goes.

mod error;
mod forget;
mod rename;
mod safety;
mod settings;
mod store;

pub use error::Error;
pub use forget::{Forgotten, logout, remove};
pub use rename::rename;
pub use safety::{has_unrecorded_safety, record_safety};
pub use settings::{set_admin_token_command, set_default, set_default_tenant};
pub use store::{NewLogin, Replaced, Stored, replaced, store};

use crate::config::{Config, Document, KeyRecords, NtroDir};
use crate::connection::{Flags, Resolver, StoredKey};
use crate::domain::ConnectionName;
use crate::env::Env;
use crate::rotation::Rotations;
pub use crate::secrets::OpenStore;

/// Makes sure that no rotation of a connection's key is unfinished, before anything is done that
/// could not be taken back.
///
/// # Errors
///
/// Fails with [`Error::RotationUnfinished`], and when the files cannot be read.
pub fn require_settled(home: &NtroDir, name: &ConnectionName) -> Result<(), Error> {
    match Rotations::read(&home.rotations())?.get(name.as_str()) {
        None => Ok(()),
        Some(recorded) => Err(Error::RotationUnfinished {
            name: name.clone(),
            until: recorded.revoke_after,
        }),
    }
}

/// The two files, as they are now. What `config.toml` says of the safety of connections is in the
/// records as well, and is to be saved with them.
pub(crate) struct ConfigFiles {
    pub(crate) config: Config,
    pub(crate) records: KeyRecords,
    /// Whether that was new to the records.
    recorded: bool,
}

impl ConfigFiles {
    pub(crate) fn read(home: &NtroDir) -> Result<Self, Error> {
        let config = Config::read(&home.config())?;
        let mut records = KeyRecords::read(&home.logins())?;
        // Whatever is saved takes along how the `command` store is reached now.
        if config.command.is_some() {
            records.command.clone_from(&config.command);
        }
        let recorded = safety::record(&config, &mut records);
        Ok(Self {
            config,
            records,
            recorded,
        })
    }

    /// Reads `config.toml` to be edited. Whatever it is that gets changed, what was recorded of the
    /// safety of connections is put back where somebody else has dropped it.
    pub(crate) fn document(&self, home: &NtroDir) -> Result<Document, Error> {
        let mut document = Document::read(&home.config())?;
        safety::put_back(&self.config, &self.records, &mut document)?;
        Ok(document)
    }

    /// Writes what is recorded of the safety of a connection into the entry that it is about to get,
    /// if it has none now: that would speak for itself, and say that there is no policy.
    pub(crate) fn guard_new(&self, name: &str, document: &mut Document) -> Result<(), Error> {
        match self.config.connections.contains_key(name) {
            true => Ok(()),
            false => safety::write(self.records.safety(name), name, document),
        }
    }

    /// Returns a resolver over the two files alone.
    pub(crate) fn resolver<'a>(&'a self, home: &'a NtroDir, flags: &'a Flags) -> Resolver<'a> {
        static NOTHING: Env = Env::empty();
        Resolver {
            flags,
            env: &NOTHING,
            pin: None,
            config: &self.config,
            records: &self.records,
            home,
        }
    }

    /// Returns where the key of a connection lies.
    fn stored_key(&self, home: &NtroDir, name: &ConnectionName) -> Result<StoredKey, Error> {
        Ok(self.resolver(home, &Flags::default()).stored_key(name)?)
    }

    pub(crate) fn require(&self, name: &ConnectionName) -> Result<(), Error> {
        if self.config.connections.contains_key(name.as_str()) {
            return Ok(());
        }
        Err(Error::UnknownConnection {
            name: name.clone(),
            known: self.config.names().map(str::to_owned).collect(),
        })
    }
}

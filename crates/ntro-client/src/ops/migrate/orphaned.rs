//! Cleanup after an unfinished move whose connection was removed.
//!
//! Removing the connection with an official client does not erase its key, because those clients do
//! not know the stores. The copies there are no longer reachable.

use super::{Begun, Error, Forgotten, Journal, KeyLocation, Migrator, plan};
use crate::config::{Config, OntoraFile, SafetySettings};
use crate::ops::{self, ConfigFiles};
use crate::secrets::{self, Item, SecretStore, StoreKind};
use ntro_base::ConnectionName;
use ntro_base::disk::FileLock;

impl Migrator<'_> {
    /// Erases the copies of an unfinished move whose connection is gone, if there is one. The file
    /// of Ontora's official client is not changed.
    ///
    /// # Errors
    ///
    /// Fails when the files cannot be read or written. The outcome reports a copy that cannot be
    /// erased.
    pub fn forget(&self, name: &ConnectionName) -> Result<Option<Forgotten>, Error> {
        let lock = self.home.lock()?;
        match Journal::read(&self.home.migrations())?.get(name.as_str()) {
            Some(begun) if !self.is_configured(name)? => {
                self.clear_away(name, begun, &lock).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Fails if the connection of an unfinished move is gone, unless the move is an import that is
    /// about to create it.
    ///
    /// Erases nothing: `config.toml` also has no connections while another program is writing it or
    /// when it is temporarily moved.
    pub(super) fn require_connection(
        &self,
        name: &ConnectionName,
        begun: &Begun,
    ) -> Result<(), Error> {
        if self.is_configured(name)? {
            return Ok(());
        }
        let file = match self
            .ontora
            .filter(|_| begun.from.contains(&KeyLocation::Ontora))
        {
            Some(path) => OntoraFile::read(path)?,
            None => None,
        };
        match plan::ontora_key(file.as_ref())? {
            Some(_) => Ok(()),
            None => Err(Error::Gone { name: name.clone() }),
        }
    }

    fn is_configured(&self, name: &ConnectionName) -> Result<bool, Error> {
        let config = Config::read(&self.home.config())?;
        Ok(config.connections.contains_key(name.as_str()))
    }

    /// Erases the copies of the moved key, and removes the move from the journal and its login from
    /// the records. Other keys remain.
    fn clear_away(
        &self,
        name: &ConnectionName,
        begun: &Begun,
        lock: &FileLock,
    ) -> Result<Forgotten, Error> {
        let mut files = ConfigFiles::read(self.home)?;
        ops::require_settled(self.home, name)?;
        let item = Item::new(name.clone(), begun.origin.clone());
        let mut outcome = Forgotten::default();
        let mut places = begun.from.clone();
        places.push(KeyLocation::Store(begun.to));
        places.sort_unstable();
        places.dedup();
        for place in places {
            let KeyLocation::Store(kind) = place else {
                continue;
            };
            // A plain-text key was removed with the connection.
            if kind == StoreKind::Plaintext {
                continue;
            }
            let store = self.stores.get(kind);
            let erased = match has_copy(store, &item, begun) {
                Ok(false) => continue,
                Ok(true) => store.erase(&item, lock).map(drop),
                Err(error) => Err(error),
            };
            match erased {
                Ok(()) => outcome.from.push(place),
                Err(error) => outcome.left_behind = Some((place, error.into())),
            }
        }
        if outcome.left_behind.is_none() {
            let login = files.records.get(name.as_str());
            if login.is_some_and(|login| {
                login.origin == begun.origin.as_str()
                    && login.key_prefix == begun.key_prefix.as_str()
            }) {
                files.records.remove(name.as_str());
                files
                    .records
                    .set_safety(name.as_str(), SafetySettings::default());
                files.records.save(&self.home.logins(), lock)?;
            }
            Journal::read(&self.home.migrations())?.end(name.as_str(), lock)?;
        }
        Ok(outcome)
    }
}

fn has_copy(store: &dyn SecretStore, item: &Item, begun: &Begun) -> Result<bool, secrets::Error> {
    match store.get(item) {
        // A killed run may have left a partial write in the target store.
        Err(error) if store.kind() == begun.to && error.is_no_key() => Ok(true),
        answer => Ok(answer?.is_some_and(|key| key.prefix() == begun.key_prefix)),
    }
}

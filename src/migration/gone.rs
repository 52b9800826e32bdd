//! What a killed run has left of a connection that somebody has removed since.
//!
//! With the connection its key has gone as well, as far as whoever removed it is concerned: the
//! official clients know nothing of the stores. What is left there are copies that nobody finds
//! any more.

use std::thread;
use std::time::Duration;

use super::{Begun, Change, Error, Journal, Migrator, Outcome, Place, survey};
use crate::config::{Config, Guard, OntoraFile};
use crate::disk::FileLock;
use crate::domain::ConnectionName;
use crate::login::{self, Files};
use crate::secrets::{self, Item, StoreKind};

/// How long the official clients may take to write `config.toml`, which they empty first.
const PAUSE: Duration = Duration::from_millis(200);

impl Migrator<'_> {
    /// Erases what an earlier run has left of a connection that is gone, if it has left anything.
    /// The file of Ontora's official client stays as it is.
    ///
    /// # Errors
    ///
    /// Fails when the files cannot be read or written. A copy that cannot be erased is told in the
    /// outcome.
    pub fn forget(&self, name: &ConnectionName) -> Result<Option<Outcome>, Error> {
        let lock = self.home.lock()?;
        match Journal::read(&self.home.migrations())?.get(name.as_str()) {
            Some(begun) if !self.is_configured(name)? => {
                self.clear_away(name, begun, Some(&lock)).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns whether the connection of an unfinished move is gone, and is not about to be made
    /// for the key in the file of Ontora's official client.
    pub(super) fn is_gone(&self, name: &ConnectionName, begun: &Begun) -> Result<bool, Error> {
        if self.is_configured(name)? {
            return Ok(false);
        }
        let file = match self.ontora.filter(|_| begun.from.contains(&Place::Ontora)) {
            Some(path) => OntoraFile::read(path)?,
            None => None,
        };
        if survey::ontora_key(file.as_ref())?.is_some() {
            return Ok(false);
        }
        // Perhaps it is being written.
        thread::sleep(PAUSE);
        Ok(!self.is_configured(name)?)
    }

    fn is_configured(&self, name: &ConnectionName) -> Result<bool, Error> {
        let config = Config::read(&self.home.config())?;
        Ok(config.connections.contains_key(name.as_str()))
    }

    /// Erases the copies of the key that was on its way, and forgets the move and the login that it
    /// was for. Other keys stay, whosever they are. Without the lock nothing is changed.
    pub(super) fn clear_away(
        &self,
        name: &ConnectionName,
        begun: &Begun,
        lock: Option<&FileLock>,
    ) -> Result<Outcome, Error> {
        let mut files = Files::read(self.home)?;
        login::require_settled(self.home, name)?;
        let item = Item::new(name.clone(), begun.origin.clone());
        let mut outcome = Outcome {
            change: Change::Erased,
            from: Vec::new(),
            key_prefix: Some(begun.key_prefix.clone()),
            left_behind: None,
            earlier: None,
        };
        let mut places = begun.from.clone();
        places.push(Place::Store(begun.to));
        places.sort_unstable();
        places.dedup();
        for place in places {
            let Place::Store(kind) = place else { continue };
            // What stood in the clear went with the connection.
            if kind == StoreKind::Plaintext {
                continue;
            }
            let store = (self.open)(kind);
            let erased = match self.has_copy(kind, &item, begun) {
                Ok(false) => continue,
                Ok(true) => match lock {
                    Some(lock) => store.erase(&item, lock).map(drop),
                    None => Ok(()),
                },
                Err(error) => Err(error),
            };
            match erased {
                Ok(()) => outcome.from.push(place),
                Err(error) => outcome.left_behind = Some((place, error.into())),
            }
        }
        if let (Some(lock), None) = (lock, &outcome.left_behind) {
            let login = files.logins.get(name.as_str());
            if login.is_some_and(|login| {
                login.origin == begun.origin.as_str()
                    && login.key_prefix == begun.key_prefix.as_str()
            }) {
                files.logins.remove(name.as_str());
                files.logins.set_guard(name.as_str(), Guard::default());
                files.logins.save(&self.home.logins(), lock)?;
            }
            Journal::read(&self.home.migrations())?.end(name.as_str(), lock)?;
        }
        Ok(outcome)
    }

    fn has_copy(
        &self,
        kind: StoreKind,
        item: &Item,
        begun: &Begun,
    ) -> Result<bool, secrets::Error> {
        match (self.open)(kind).get(item) {
            // A run that was killed may have left anything where it was about to put the key.
            Err(error) if kind == begun.to && error.is_no_key() => Ok(true),
            answer => Ok(answer?.is_some_and(|key| key.prefix() == begun.key_prefix)),
        }
    }
}

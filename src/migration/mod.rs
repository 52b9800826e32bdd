//! Moving keys from any store to any other, so that none is lost wherever it is cut off.
//!
//! One connection after the other: the key is looked for in every place where it may lie, and
//! where two places differ nothing is done. Then it is written to the new store and read back,
//! the record of the connection is switched, and only then is the key erased where it was. What
//! is about to happen is written into a [`Journal`] first and taken out last, so the next run
//! finds what a killed one has left. Each run looks at everything anew: finishing a move is the
//! same as making it, with some of it done. A key whose connection was removed meanwhile is not
//! moved any further, and what is left of it is erased by [`Migrator::forget`] alone.

mod error;
mod gone;
mod journal;
mod place;
mod survey;

pub use error::Error;
pub use journal::{Begun, Journal};
pub use place::Place;

use std::path::Path;

use jiff::Timestamp;

use crate::config::{Config, Document, Home, Login, Logins, OntoraFile};
use crate::disk::{self, FileLock};
use crate::domain::{ApiKey, ConnectionName, KeyPrefix, Origin, Policy};
use crate::login::OpenStore;
use crate::secrets::StoreKind;
use survey::Survey;

/// Moves keys to a store.
#[derive(Clone, Copy)]
pub struct Migrator<'a> {
    /// Where the files lie.
    pub home: &'a Home,
    /// Opens stores.
    pub open: &'a OpenStore<'a>,
    /// The file of Ontora's official client, where the system knows one.
    pub ontora: Option<&'a Path>,
    /// The store that is to have the keys.
    pub to: StoreKind,
    /// Whether a person has agreed that keys whose policy is `confirm` go into the clear.
    pub confirmed: bool,
    /// Whether to find out what would be done, and do nothing.
    pub dry_run: bool,
    /// The clock.
    pub now: Timestamp,
}

/// What came of one connection.
#[derive(Debug)]
pub struct Outcome {
    /// What was done, or would be.
    pub change: Change,
    /// The places that had the key.
    pub from: Vec<Place>,
    /// The head of the key.
    pub key_prefix: Option<KeyPrefix>,
    /// A place that still has the key, and why. The next run tries again.
    pub left_behind: Option<(Place, Error)>,
    /// Where an earlier key of the connection stays, that belongs to another origin.
    pub earlier: Option<(StoreKind, Origin)>,
}

/// What was erased of a connection that is gone.
#[derive(Debug, Default)]
pub struct Forgotten {
    /// The places that had the key.
    pub from: Vec<Place>,
    /// A place that still has it, and why.
    pub left_behind: Option<(Place, Error)>,
}

/// What was done with a key, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It lies in the new store.
    Moved,
    /// It lay there before.
    AlreadyThere,
    /// There is none.
    NoKey,
}

/// Whether the policy of a connection has its say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Permission {
    /// It has.
    Asked,
    /// It had, when the move was begun.
    Noted,
}

impl Migrator<'_> {
    /// Moves the key of a connection, and finishes what an earlier run has left of it.
    ///
    /// # Errors
    ///
    /// Fails when two places have different keys, when the policy of the connection is against the
    /// move, and when a store does not do its part. The connection works as before then, and no key
    /// is lost.
    pub fn connection(&self, name: &ConnectionName) -> Result<Outcome, Error> {
        self.run(name, None)
    }

    /// Imports the key of Ontora's official client as the key of a connection, which is made if
    /// there is none. With `keep` the client's file stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Migrator::connection`]; also when the connection is for another origin.
    pub fn import(&self, name: &ConnectionName, keep: bool) -> Result<Outcome, Error> {
        self.run(name, Some(keep))
    }

    /// Finishes what an earlier run has left of a connection, if it has left anything.
    ///
    /// # Errors
    ///
    /// As [`Migrator::connection`].
    pub fn finish(&self, name: &ConnectionName) -> Result<Option<Outcome>, Error> {
        let journal = Journal::read(&self.home.migrations())?;
        let Some(begun) = journal.get(name.as_str()) else {
            return Ok(None);
        };
        let to = begun.to;
        Self { to, ..*self }.connection(name).map(Some)
    }

    fn run(&self, name: &ConnectionName, import: Option<bool>) -> Result<Outcome, Error> {
        let lock = match self.dry_run {
            true => None,
            false => Some(self.home.lock()?),
        };
        let journal = Journal::read(&self.home.migrations())?;
        let begun = journal.get(name.as_str());
        if let Some(begun) = begun {
            self.require_connection(name, begun)?;
        }
        let Some(lock) = lock else {
            let survey = self.survey(name, import)?;
            self.permit(&survey)?;
            return Ok(survey.outcome());
        };
        let mut import = import;
        if let Some(begun) = begun {
            let imports = begun.from.contains(&Place::Ontora);
            let earlier = import.or(imports.then_some(begun.keep));
            let outcome = Self {
                to: begun.to,
                ..*self
            }
            .pass(name, earlier, Permission::Noted, &lock)?;
            if begun.to == self.to || outcome.left_behind.is_some() {
                return Ok(outcome);
            }
            import = None;
        }
        self.pass(name, import, Permission::Asked, &lock)
    }

    fn pass(
        &self,
        name: &ConnectionName,
        import: Option<bool>,
        permission: Permission,
        lock: &FileLock,
    ) -> Result<Outcome, Error> {
        if let (Some(_), Some(path)) = (import, self.ontora) {
            disk::remove_leftover(path, lock);
        }
        let mut survey = self.survey(name, import)?;
        if permission == Permission::Asked {
            self.permit(&survey)?;
        }
        let places = std::mem::take(&mut survey.stale);
        for place in places {
            self.erase(&survey, place, lock)?;
        }
        let mut outcome = survey.outcome();
        if outcome.change == Change::Moved {
            let begun = survey.begun();
            survey.journal.begin(name.as_str(), begun, lock)?;
            if let Err(first) = self.establish(&survey, lock) {
                self.take_back(&mut survey, lock);
                return Err(first);
            }
            for place in survey.sources() {
                if let Err(error) = self.erase(&survey, place, lock) {
                    outcome.left_behind = Some((place, error));
                }
            }
        }
        if outcome.left_behind.is_none() {
            survey.journal.end(name.as_str(), lock)?;
        }
        Ok(outcome)
    }

    /// Keeps a key out of the clear where the policy of its connection says so. In the clear it can
    /// be had without asking `ntro`.
    fn permit(&self, survey: &Survey) -> Result<(), Error> {
        let goes_into_the_clear =
            self.to == StoreKind::Plaintext && survey.key.is_some() && !survey.has_target();
        match survey.policy {
            Policy::Confirm if self.confirmed => Ok(()),
            policy @ (Policy::Confirm | Policy::Keyless) if goes_into_the_clear => {
                Err(Error::Guarded {
                    name: survey.name.clone(),
                    policy,
                })
            }
            _ => Ok(()),
        }
    }

    /// Puts the key into the new store, reads it back, and lets the connection count on it.
    fn establish(&self, survey: &Survey, lock: &FileLock) -> Result<(), Error> {
        let Some(key) = &survey.key else {
            return Ok(());
        };
        let mut logins = survey.files.logins.clone();
        logins.insert(survey.name.as_str(), self.record(survey, key));
        let document = self.edited(survey, key)?;
        let path = self.home.logins();
        if self.to == StoreKind::Plaintext {
            // Key and record are in one file, and the other one counts on it.
            document.save(lock)?;
            self.read_back(survey, key)?;
            logins.save(&path, lock)?;
        } else {
            if !survey.has_target() {
                (self.open)(self.to).put(&survey.item, key, lock)?;
            }
            self.read_back(survey, key)?;
            logins.save(&path, lock)?;
            document.save(lock)?;
        }
        Ok(())
    }

    fn read_back(&self, survey: &Survey, key: &ApiKey) -> Result<(), Error> {
        match (self.open)(self.to).get(&survey.item)? {
            Some(kept) if kept == *key => Ok(()),
            _ => Err(Error::NotKept {
                store: self.to,
                name: survey.name.clone(),
            }),
        }
    }

    /// Takes back what was done before a failure, as far as that can be done and the key is where
    /// it was. What cannot be taken back is left to the next run.
    fn take_back(&self, survey: &mut Survey, lock: &FileLock) {
        let still_there = survey
            .others()
            .into_iter()
            .any(|place| self.look(survey, place).is_ok_and(|key| key == survey.key));
        if !still_there || !self.is_as_before(survey) {
            return;
        }
        let (path, name) = (self.home.logins(), survey.name.as_str());
        let before = survey.files.logins.get(name);
        let untouched = Logins::read(&path).is_ok_and(|logins| logins.get(name) == before);
        if !untouched && survey.files.logins.save(&path, lock).is_err() {
            return;
        }
        let erased = survey.has_target()
            || self.to == StoreKind::Plaintext
            || (self.open)(self.to).erase(&survey.item, lock).is_ok();
        if erased {
            // One that stays is found to be done by the next run.
            let _ = survey.journal.end(survey.name.as_str(), lock);
        }
    }

    /// Returns whether `config.toml` still says of the connection what it said. A write can fail
    /// after it was made.
    fn is_as_before(&self, survey: &Survey) -> bool {
        let said = |config: &Config| {
            let entry = config.connections.get(survey.name.as_str())?;
            Some((entry.store.clone(), entry.api_key.is_some()))
        };
        Config::read(&self.home.config())
            .is_ok_and(|config| said(&config) == said(&survey.files.config))
    }

    fn look(&self, survey: &Survey, place: Place) -> Result<Option<ApiKey>, Error> {
        match place {
            Place::Store(kind) => Ok((self.open)(kind).get(&survey.item)?),
            Place::Ontora => match self.ontora {
                Some(path) => survey::ontora_key(OntoraFile::read(path)?.as_ref()),
                None => Ok(None),
            },
        }
    }

    fn erase(&self, survey: &Survey, place: Place, lock: &FileLock) -> Result<(), Error> {
        match (place, self.ontora) {
            // It went with the record, in one write.
            (Place::Store(StoreKind::Plaintext), _) => {}
            (Place::Store(kind), _) => {
                (self.open)(kind).erase(&survey.item, lock)?;
            }
            (Place::Ontora, Some(path)) => {
                let file = OntoraFile::read(path)?;
                // Another key that somebody has put there meanwhile is not ours to erase.
                if survey::ontora_key(file.as_ref())? == survey.key
                    && let Some(file) = file
                {
                    file.erase_key(lock)?;
                }
            }
            (Place::Ontora, None) => {}
        }
        Ok(())
    }

    fn record(&self, survey: &Survey, key: &ApiKey) -> Login {
        let prefix = key.prefix();
        let old = survey.files.logins.get(survey.name.as_str());
        // The key is no younger for having been moved.
        let old = old.filter(|old| old.key_prefix == prefix.as_str());
        Login {
            store: self.to.to_string(),
            origin: survey.item.origin.to_string(),
            provider: survey.provider.to_string(),
            key_prefix: prefix.to_string(),
            stored_at: old.map_or(self.now, |old| old.stored_at),
            expires_at: old.and_then(|old| old.expires_at),
        }
    }

    fn edited(&self, survey: &Survey, key: &ApiKey) -> Result<Document, Error> {
        let name = survey.name.as_str();
        let mut document = survey.files.document(self.home)?;
        if let Some(new) = &survey.new {
            document.set(name, "host", new.host.as_str())?;
            document.set(name, "provider", survey.provider.as_str())?;
            if let Some(tenant) = &new.default_tenant {
                document.set(name, "default_tenant", tenant.as_str())?;
            }
            survey.files.guard_new(name, &mut document)?;
            if survey.files.config.default_name().is_none() {
                document.set_default(name);
            }
        }
        document.set(name, "store", self.to.as_str())?;
        match self.to {
            StoreKind::Plaintext => document.set(name, "api_key", key.expose())?,
            _ => document.unset(name, "api_key")?,
        }
        Ok(document)
    }
}

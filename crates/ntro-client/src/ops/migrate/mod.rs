//! Moves keys between stores. An interruption at any point loses no key.
//!
//! Connections are moved one at a time. A move reads every location that may hold the key, and
//! fails if two locations differ. It writes the key to the new store, reads it back, switches the
//! record of the connection, and only then erases the key from its old location. Each move is
//! recorded in a [`Journal`] before its first step and removed after its last, so the next run
//! finds an unfinished move. Each run reads all locations again: finishing a move is the same as
//! making it, with some steps already done. If the connection was removed meanwhile, the move
//! stops, and only [`Migrator::forget`] erases its remaining copies.

mod error;
mod journal;
mod key_location;
mod orphaned;
mod plan;

pub use error::Error;
pub use journal::{Begun, Journal};
pub use key_location::KeyLocation;

use std::path::Path;

use jiff::Timestamp;

use crate::config::{Config, EditedDocument, NtroDir, OntoraFile};
use crate::secrets::{StoreKind, Stores};
use crate::state::{KeyRecord, KeyRecords};
use ntro_base::disk::{self, FileLock};
use ntro_base::{ApiKey, ConnectionName, KeyPrefix, Origin, Policy};
use plan::MigrationPlan;

/// Moves keys to a store.
#[derive(Clone, Copy)]
pub struct Migrator<'a> {
    /// The folder of `ntro`.
    pub home: &'a NtroDir,
    /// The secret stores.
    pub stores: &'a Stores,
    /// The file of Ontora's official client, if the system has a path for it.
    pub ontora: Option<&'a Path>,
    /// The store to move keys to.
    pub to: StoreKind,
    /// Whether a person has confirmed that keys with the policy `confirm` are stored in plain text.
    pub confirmed: bool,
    /// Whether to report the changes without making them.
    pub dry_run: bool,
    /// The current time.
    pub now: Timestamp,
}

/// The result for one connection.
#[derive(Debug)]
pub struct Outcome {
    /// The change, made or planned.
    pub change: Change,
    /// The locations that had the key.
    pub from: Vec<KeyLocation>,
    /// The prefix of the key.
    pub key_prefix: Option<KeyPrefix>,
    /// A location that still has the key, and why. The next run tries again.
    pub left_behind: Option<(KeyLocation, Error)>,
    /// The store and origin of an earlier key of the connection, which remains because it is bound
    /// to another origin.
    pub earlier: Option<(StoreKind, Origin)>,
}

/// The copies erased for an orphaned move.
#[derive(Debug, Default)]
pub struct Forgotten {
    /// The locations that had the key.
    pub from: Vec<KeyLocation>,
    /// A location that still has the key, and why.
    pub left_behind: Option<(KeyLocation, Error)>,
}

/// The change for one key, made or planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key was moved to the new store.
    Moved,
    /// The key was in the new store already.
    AlreadyThere,
    /// There is no key.
    NoKey,
}

/// Whether the policy of a connection is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Permission {
    /// It is checked.
    Asked,
    /// It was checked when the move began.
    Noted,
}

impl Migrator<'_> {
    /// Moves the key of a connection, or finishes an unfinished move.
    ///
    /// # Errors
    ///
    /// Fails when two locations have different keys, when the policy of the connection forbids the
    /// move, and when a store fails. The connection then still works, and no key is lost.
    pub fn connection(&self, name: &ConnectionName) -> Result<Outcome, Error> {
        self.run(name, None)
    }

    /// Imports the key of Ontora's official client into a connection, which is created if it does
    /// not exist. With `keep` the client's file is not changed.
    ///
    /// # Errors
    ///
    /// As [`Migrator::connection`]; also when the connection is for another origin.
    pub fn import(&self, name: &ConnectionName, keep: bool) -> Result<Outcome, Error> {
        self.run(name, Some(keep))
    }

    /// Finishes the unfinished move of a connection, if there is one.
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
            let plan = self.plan(name, import)?;
            self.check(&plan)?;
            return Ok(plan.outcome());
        };
        let mut import = import;
        if let Some(begun) = begun {
            let imports = begun.from.contains(&KeyLocation::Ontora);
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
        let mut plan = self.plan(name, import)?;
        if permission == Permission::Asked {
            self.check(&plan)?;
        }
        let places = std::mem::take(&mut plan.stale);
        for key_location in places {
            self.erase(&plan, key_location, lock)?;
        }
        let mut outcome = plan.outcome();
        if outcome.change == Change::Moved {
            let begun = plan.begun();
            plan.journal.begin(name.as_str(), begun, lock)?;
            if let Err(first) = self.establish(&plan, lock) {
                self.take_back(&mut plan, lock);
                return Err(first);
            }
            for key_location in plan.sources() {
                if let Err(error) = self.erase(&plan, key_location, lock) {
                    outcome.left_behind = Some((key_location, error));
                }
            }
        }
        if outcome.left_behind.is_none() {
            plan.journal.end(name.as_str(), lock)?;
        }
        Ok(outcome)
    }

    /// Refuses to store a key in plain text if the policy of its connection forbids it, since
    /// reading it there bypasses `ntro`.
    fn check(&self, plan: &MigrationPlan) -> Result<(), Error> {
        let goes_into_the_clear =
            self.to == StoreKind::Plaintext && plan.key.is_some() && !plan.has_target();
        match plan.policy {
            Policy::Confirm if self.confirmed => Ok(()),
            policy @ (Policy::Confirm | Policy::Keyless) if goes_into_the_clear => {
                Err(Error::Guarded {
                    name: plan.name.clone(),
                    policy,
                })
            }
            _ => Ok(()),
        }
    }

    /// Writes the key to the new store, reads it back, and points the connection to it.
    fn establish(&self, plan: &MigrationPlan, lock: &FileLock) -> Result<(), Error> {
        let Some(key) = &plan.key else {
            return Ok(());
        };
        let mut records = plan.files.records.clone();
        records.insert(plan.name.as_str(), self.record(plan, key));
        let document = self.edited(plan, key)?;
        let path = self.home.logins();
        if self.to == StoreKind::Plaintext {
            // `config.toml` has the key and its store; `logins.toml` relies on both.
            document.save(lock)?;
            self.read_back(plan, key)?;
            records.save(&path, lock)?;
        } else {
            if !plan.has_target() {
                self.stores.get(self.to).put(&plan.item, key, lock)?;
            }
            self.read_back(plan, key)?;
            records.save(&path, lock)?;
            document.save(lock)?;
        }
        Ok(())
    }

    fn read_back(&self, plan: &MigrationPlan, key: &ApiKey) -> Result<(), Error> {
        match self.stores.get(self.to).get(&plan.item)? {
            Some(kept) if kept == *key => Ok(()),
            _ => Err(Error::NotKept {
                store: self.to,
                name: plan.name.clone(),
            }),
        }
    }

    /// Undoes a failed move, as far as possible and only if an old location still has the key. The
    /// next run undoes the rest.
    fn take_back(&self, plan: &mut MigrationPlan, lock: &FileLock) {
        let still_there = plan.others().into_iter().any(|key_location| {
            self.read_location(plan, key_location)
                .is_ok_and(|key| key == plan.key)
        });
        if !still_there || !self.is_as_before(plan) {
            return;
        }
        let (path, name) = (self.home.logins(), plan.name.as_str());
        let before = plan.files.records.get(name);
        let untouched = KeyRecords::read(&path).is_ok_and(|records| records.get(name) == before);
        if !untouched && plan.files.records.save(&path, lock).is_err() {
            return;
        }
        let erased = plan.has_target()
            || self.to == StoreKind::Plaintext
            || self.stores.get(self.to).erase(&plan.item, lock).is_ok();
        if erased {
            // If the entry remains, the next run resolves it.
            let _ = plan.journal.end(plan.name.as_str(), lock);
        }
    }

    /// Returns whether the store and key of the connection in `config.toml` are unchanged. A write
    /// can report an error after it took effect.
    fn is_as_before(&self, plan: &MigrationPlan) -> bool {
        let said = |config: &Config| {
            let entry = config.connections.get(plan.name.as_str())?;
            Some((entry.store.clone(), entry.api_key.is_some()))
        };
        Config::read(&self.home.config())
            .is_ok_and(|config| said(&config) == said(&plan.files.config))
    }

    fn read_location(
        &self,
        plan: &MigrationPlan,
        key_location: KeyLocation,
    ) -> Result<Option<ApiKey>, Error> {
        match key_location {
            KeyLocation::Store(kind) => Ok(self.stores.get(kind).get(&plan.item)?),
            KeyLocation::Ontora => match self.ontora {
                Some(path) => plan::ontora_key(OntoraFile::read(path)?.as_ref()),
                None => Ok(None),
            },
        }
    }

    fn erase(
        &self,
        plan: &MigrationPlan,
        key_location: KeyLocation,
        lock: &FileLock,
    ) -> Result<(), Error> {
        match (key_location, self.ontora) {
            // The key was removed together with its record, in one write.
            (KeyLocation::Store(StoreKind::Plaintext), _) => {}
            (KeyLocation::Store(kind), _) => {
                self.stores.get(kind).erase(&plan.item, lock)?;
            }
            (KeyLocation::Ontora, Some(path)) => {
                let file = OntoraFile::read(path)?;
                // Keeps a different key that was written to the file meanwhile.
                if plan::ontora_key(file.as_ref())? == plan.key
                    && let Some(file) = file
                {
                    file.erase_key(lock)?;
                }
            }
            (KeyLocation::Ontora, None) => {}
        }
        Ok(())
    }

    fn record(&self, plan: &MigrationPlan, key: &ApiKey) -> KeyRecord {
        let prefix = key.prefix();
        let old = plan.files.records.get(plan.name.as_str());
        // A move does not change the age of the key.
        let old = old.filter(|old| old.key_prefix == prefix.as_str());
        KeyRecord {
            store: self.to.to_string(),
            origin: plan.item.origin.to_string(),
            provider: plan.provider.to_string(),
            key_prefix: prefix.to_string(),
            stored_at: old.map_or(self.now, |old| old.stored_at),
            expires_at: old.and_then(|old| old.expires_at),
        }
    }

    fn edited(&self, plan: &MigrationPlan, key: &ApiKey) -> Result<EditedDocument, Error> {
        let name = plan.name.as_str();
        let mut document = plan.files.document(self.home)?;
        if let Some(new) = &plan.new {
            document.set(name, "host", new.host.as_str())?;
            document.set(name, "provider", plan.provider.as_str())?;
            if let Some(tenant) = &new.default_tenant {
                document.set(name, "default_tenant", tenant.as_str())?;
            }
            plan.files.guard_new(name, &mut document)?;
            if plan.files.config.default_name().is_none() {
                document.set_default(name);
            }
        }
        document.set(name, "store", self.to.as_str())?;
        match self.to {
            StoreKind::Plaintext => document.set(name, "api_key", key.expose())?,
            _ => document.unset(name, "api_key"),
        }
        Ok(document.finish()?)
    }
}

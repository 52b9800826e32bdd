//! Moving keys from any store to any other, so that none is lost wherever it is cut off.
//!
//! One connection after the other: the key is looked for in every key_location where it may lie, and
//! where two places differ nothing is done. Then it is written to the new store and read back,
//! the record of the connection is switched, and only then is the key erased where it was. What
//! is about to happen is written into a [`Journal`] first and taken out last, so the next run
//! finds what a killed one has left. Each run looks at everything anew: finishing a move is the
//! same as making it, with some of it done. A key whose connection was removed meanwhile is not
//! moved any further, and what is left of it is erased by [`Migrator::forget`] alone.

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

use crate::config::{Config, Document, NtroDir, OntoraFile};
use crate::secrets::{StoreKind, Stores};
use crate::state::{KeyRecord, KeyRecords};
use ntro_base::disk::{self, FileLock};
use ntro_base::{ApiKey, ConnectionName, KeyPrefix, Origin, Policy};
use plan::MigrationPlan;

/// Moves keys to a store.
#[derive(Clone, Copy)]
pub struct Migrator<'a> {
    /// Where the files lie.
    pub home: &'a NtroDir,
    /// The secret stores.
    pub stores: &'a Stores,
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
    pub from: Vec<KeyLocation>,
    /// The head of the key.
    pub key_prefix: Option<KeyPrefix>,
    /// A key_location that still has the key, and why. The next run tries again.
    pub left_behind: Option<(KeyLocation, Error)>,
    /// Where an earlier key of the connection stays, that belongs to another origin.
    pub earlier: Option<(StoreKind, Origin)>,
}

/// What was erased of a connection that is orphaned.
#[derive(Debug, Default)]
pub struct Forgotten {
    /// The places that had the key.
    pub from: Vec<KeyLocation>,
    /// A key_location that still has it, and why.
    pub left_behind: Option<(KeyLocation, Error)>,
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

    /// Keeps a key out of the clear where the policy of its connection says so. In the clear it can
    /// be had without asking `ntro`.
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

    /// Puts the key into the new store, reads it back, and lets the connection count on it.
    fn establish(&self, plan: &MigrationPlan, lock: &FileLock) -> Result<(), Error> {
        let Some(key) = &plan.key else {
            return Ok(());
        };
        let mut records = plan.files.records.clone();
        records.insert(plan.name.as_str(), self.record(plan, key));
        let document = self.edited(plan, key)?;
        let path = self.home.logins();
        if self.to == StoreKind::Plaintext {
            // Key and record are in one file, and the other one counts on it.
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

    /// Takes back what was done before a failure, as far as that can be done and the key is where
    /// it was. What cannot be taken back is left to the next run.
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
            // One that stays is found to be done by the next run.
            let _ = plan.journal.end(plan.name.as_str(), lock);
        }
    }

    /// Returns whether `config.toml` still says of the connection what it said. A write can fail
    /// after it was made.
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
            // It went with the record, in one write.
            (KeyLocation::Store(StoreKind::Plaintext), _) => {}
            (KeyLocation::Store(kind), _) => {
                self.stores.get(kind).erase(&plan.item, lock)?;
            }
            (KeyLocation::Ontora, Some(path)) => {
                let file = OntoraFile::read(path)?;
                // Another key that somebody has put there meanwhile is not ours to erase.
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
        // The key is no younger for having been moved.
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

    fn edited(&self, plan: &MigrationPlan, key: &ApiKey) -> Result<Document, Error> {
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
            _ => document.unset(name, "api_key")?,
        }
        Ok(document)
    }
}

use super::{ConfigFiles, Error};
use crate::config::{Document, NtroDir, SafetySettings};
use crate::resolve::StoredKey;
use crate::secrets::{self, Item, StoreKind, Stores};
use ntro_base::{ConnectionName, KeyPrefix, Origin};

/// The result of a logout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// The store that held the key.
    pub store: StoreKind,
    /// Whether there was a key.
    pub had_key: bool,
    /// Its prefix, if recorded.
    pub key_prefix: Option<KeyPrefix>,
    /// The origin that it is for.
    pub origin: Option<Origin>,
}

/// Erases the key of a connection. The other settings remain for the next login.
///
/// # Errors
///
/// Fails when the key is still in its store.
pub fn logout(home: &NtroDir, name: &ConnectionName, stores: &Stores) -> Result<Forgotten, Error> {
    forget(home, name, stores, Gone::Unknown, |document| {
        document.unset(name.as_str(), "api_key");
    })
}

/// Erases a connection and its key. Also erases the rest of a connection that another program has
/// removed from `config.toml`.
///
/// # Errors
///
/// Fails when the key is still in its store; the connection then stays.
pub fn remove(home: &NtroDir, name: &ConnectionName, stores: &Stores) -> Result<Forgotten, Error> {
    forget(home, name, stores, Gone::IfRecorded, |document| {
        document.remove_connection(name.as_str());
        if document.default_name().as_deref() == Some(name.as_str()) {
            document.unset_default();
        }
    })
}

/// How to treat a connection that is recorded but missing from `config.toml`.
#[derive(PartialEq, Eq)]
enum Gone {
    /// As unknown.
    Unknown,
    /// As removable.
    IfRecorded,
}

fn forget(
    home: &NtroDir,
    name: &ConnectionName,
    stores: &Stores,
    gone: Gone,
    edit: impl FnOnce(&mut Document),
) -> Result<Forgotten, Error> {
    let lock = home.lock()?;
    let mut files = ConfigFiles::read(home)?;
    let is_recorded = files.records.get(name.as_str()).is_some();
    if gone == Gone::Unknown || !is_recorded {
        files.require(name)?;
    }
    super::require_settled(home, name)?;
    let entry = files.config.connections.get(name.as_str());
    let is_there = entry.is_some();
    let plain = entry.is_some_and(|entry| entry.api_key.is_some());
    let places = files.places(home, name);
    let mut document = files.document(home)?;
    // Leaves `config.toml` alone if there is nothing to remove: another program may be writing it.
    let is_edited = is_there || document.default_name().as_deref() == Some(name.as_str());
    if is_edited {
        edit(&mut document);
    }
    let stays = document.has_connection(name.as_str());
    let document = document.finish()?;
    let mut erased = None;
    for stored in &places {
        if stored.kind == StoreKind::Plaintext {
            continue;
        }
        let had_key = match stores.get(stored.kind).erase(&stored.item, &lock) {
            // No record says that a key exists, so an absent store is not an error.
            Err(secrets::Error::Absent { .. }) if !stored.recorded => false,
            answer => answer?,
        };
        erased = erased.or(had_key.then_some(stored));
    }
    if is_edited {
        document.save(&lock)?;
    }
    let mut changed = files.recorded;
    changed |= files.records.remove(name.as_str()).is_some();
    if !stays {
        changed |= files
            .records
            .set_safety(name.as_str(), SafetySettings::default());
    }
    if changed {
        files.records.save(&home.logins(), &lock)?;
    }
    let told = erased.or(places.first());
    Ok(Forgotten {
        store: told.map_or(StoreKind::Plaintext, |stored| stored.kind),
        had_key: erased.is_some() || plain,
        key_prefix: told.and_then(|stored| stored.prefix.clone()),
        origin: told.map(|stored| stored.item.origin.clone()),
    })
}

impl ConfigFiles {
    /// Returns every place that may hold the key of a connection: the one in `config.toml`, and the
    /// recorded one, which differs if the store or the host was edited since the login.
    fn places(&self, home: &NtroDir, name: &ConnectionName) -> Vec<StoredKey> {
        // An unreadable host or store yields no place.
        let configured = self.stored_key(home, name).ok();
        let recorded = self.records.get(name.as_str()).and_then(|login| {
            Some(StoredKey {
                kind: login.store.parse().ok()?,
                item: Item::new(name.clone(), login.origin.parse().ok()?),
                prefix: Some(KeyPrefix::recorded(&login.key_prefix)),
                recorded: true,
            })
        });
        let mut places: Vec<_> = configured.into_iter().chain(recorded).collect();
        places.dedup_by(|second, first| (second.kind, &second.item) == (first.kind, &first.item));
        places
    }
}

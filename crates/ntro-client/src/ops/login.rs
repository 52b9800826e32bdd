use jiff::Timestamp;

use super::{ConfigFiles, Error};
use crate::config::{Document, NtroDir};
use crate::resolve::StoredKey;
use crate::secrets::{self, Item, SecretStore, StoreKind, Stores};
use crate::state::{KeyRecord, KeyRecords};
use ntro_base::disk::FileLock;
use ntro_base::{
    ApiKey, ConnectionName, Host, KeyPrefix, Policy, Provider, TenantSlug, shown_host,
};

/// A key that is to be stored, with its connection.
#[derive(Debug)]
pub struct NewLogin {
    /// The connection's name.
    pub name: ConnectionName,
    /// Its base URL.
    pub host: Host,
    /// Its provider.
    pub provider: Provider,
    /// The key.
    pub key: ApiKey,
    /// When the key expires, where the provider told.
    pub expires_at: Option<Timestamp>,
    /// The tenant to use when no other is named; `None` leaves what is there.
    pub default_tenant: Option<TenantSlug>,
    /// Where the key is to lie.
    pub store: StoreKind,
    /// Whether the connection becomes the default one; `None`: if there is no default yet.
    pub make_default: Option<bool>,
    /// Whether a connection of that name may be pointed to another origin.
    pub overwrite: bool,
    /// What may become of the key; `None` leaves what is there.
    pub policy: Option<Policy>,
    /// The clock.
    pub now: Timestamp,
}

/// What a login did.
#[derive(Debug)]
pub struct Stored {
    /// Whether the connection is the default one now.
    pub is_default: bool,
    /// Why an older key of the connection is still in its store, if it is.
    pub left_behind: Option<secrets::Error>,
}

/// What a login would replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The host that the connection has now, fit to be shown.
    pub host: Option<String>,
    /// Whether it is of the same origin.
    pub same_origin: bool,
    /// The system that it is for, where that is written down.
    pub provider: Option<Provider>,
    /// The prefix of the key that is stored now, where one is recorded.
    pub key_prefix: Option<KeyPrefix>,
}

impl Replaced {
    /// Refuses what would make another connection of it.
    fn check(self, login: &NewLogin) -> Result<(), Error> {
        let name = login.name.clone();
        match self.provider {
            _ if !self.same_origin => Err(Error::OtherOrigin {
                name,
                existing: self.host.unwrap_or_default(),
                wanted: login.host.origin(),
            }),
            Some(existing) if existing != login.provider => Err(Error::OtherProvider {
                name,
                existing,
                wanted: login.provider,
            }),
            _ => Ok(()),
        }
    }
}

/// Returns what a login of this name and host would replace, if there is such a connection.
///
/// # Errors
///
/// Fails when the files cannot be read.
pub fn replaced(
    home: &NtroDir,
    name: &ConnectionName,
    host: &Host,
) -> Result<Option<Replaced>, Error> {
    Ok(ConfigFiles::read(home)?.replaced(name, host))
}

impl ConfigFiles {
    fn replaced(&self, name: &ConnectionName, host: &Host) -> Option<Replaced> {
        let entry = self.config.connections.get(name.as_str())?;
        let login = self.records.get(name.as_str());
        let origin = |text: &str| text.parse::<Host>().ok().map(|host| host.origin());
        let existing = entry.host.as_deref().and_then(origin);
        let provider = entry.provider.as_deref();
        let provider = provider.or_else(|| Some(login?.provider.as_str()));
        Some(Replaced {
            host: entry.host.as_deref().map(shown_host),
            provider: provider.and_then(|provider| provider.parse().ok()),
            // A connection that never had a host is nobody's yet.
            same_origin: entry.host.is_none() || existing.as_ref() == Some(&host.origin()),
            key_prefix: login.map(|login| KeyPrefix::recorded(&login.key_prefix)),
        })
    }
}

/// Stores a key and its connection, or neither.
///
/// # Errors
///
/// Fails when the connection exists for another origin and must not be overwritten, and when any
/// of the three places cannot be written. What was written before is then taken back.
pub fn store(home: &NtroDir, login: &NewLogin, stores: &Stores) -> Result<Stored, Error> {
    let lock = home.lock()?;
    let files = ConfigFiles::read(home)?;
    super::require_settled(home, &login.name)?;
    let replaced = files.replaced(&login.name, &login.host);
    if let Some(replaced) = replaced.filter(|_| !login.overwrite) {
        replaced.check(login)?;
    }
    let item = Item::new(login.name.clone(), login.host.origin());
    let old = match files.config.connections.contains_key(login.name.as_str()) {
        true => files.stored_key(home, &login.name).ok(),
        false => None,
    };
    let make_default = login
        .make_default
        .unwrap_or_else(|| files.config.default_name().is_none());
    let document = edited(&files, home, login, make_default)?;
    let mut records = files.records.clone();
    records.insert(login.name.as_str(), record(login));
    let mut safety = records.safety(login.name.as_str());
    if let Some(policy) = login.policy {
        safety.policy = Some(policy).filter(|policy| *policy != Policy::Open);
    }
    records.set_safety(login.name.as_str(), safety);

    let store = stores.get(login.store);
    let put = put(store, &item, &login.key, &lock);
    if let Err(Error::Store(error)) = &put
        && error.is_no_key()
        && !old.as_ref().is_some_and(|old| old.recorded)
    {
        // It does not come back as it was given, and no connection counts on what is there.
        let _ = store.erase(&item, &lock);
    }
    let before = put?;
    if let Err(first) = write(home, &document, &records, &lock) {
        let undone = match (login.store, before) {
            // The key was to stand in the file that could not be written.
            (StoreKind::Plaintext, _) => Ok(()),
            (_, Some(key)) => store.put(&item, &key, &lock),
            (_, None) => store.erase(&item, &lock).map(drop),
        };
        // `logins.toml` was perhaps written; what it says then has no key, which is what it is for.
        let _ = files.records.save(&home.logins(), &lock);
        return Err(match undone {
            Ok(()) => first,
            Err(second) => Error::HalfDone {
                first: Box::new(first),
                second,
            },
        });
    }
    Ok(Stored {
        is_default: make_default || files.config.default_name() == Some(login.name.as_str()),
        left_behind: old.and_then(|old| erase_old(&old, login, &item, stores, &lock)),
    })
}

/// Puts the key and returns the one that was there. The `plaintext` store gets it with the rest of
/// the connection, in one write.
fn put(
    store: &dyn SecretStore,
    item: &Item,
    key: &ApiKey,
    lock: &FileLock,
) -> Result<Option<ApiKey>, Error> {
    if store.kind() == StoreKind::Plaintext {
        return Ok(None);
    }
    let before = match store.get(item) {
        // What is there is no key, and nothing to come back to.
        Err(error) if error.is_no_key() => None,
        answer => answer?,
    };
    store.put(item, key, lock)?;
    Ok(before)
}

fn edited(
    files: &ConfigFiles,
    home: &NtroDir,
    login: &NewLogin,
    make_default: bool,
) -> Result<Document, Error> {
    let name = login.name.as_str();
    let mut document = files.document(home)?;
    let moved = files.replaced(&login.name, &login.host);
    if moved.is_some_and(|replaced| !replaced.same_origin) {
        // What it prints is for the server of before.
        document.unset(name, "admin_token_command")?;
    }
    document.set(name, "host", login.host.as_str())?;
    document.set(name, "provider", login.provider.as_str())?;
    document.set(name, "store", login.store.as_str())?;
    match login.store {
        StoreKind::Plaintext => document.set(name, "api_key", login.key.expose())?,
        _ => document.unset(name, "api_key")?,
    }
    if let Some(tenant) = &login.default_tenant {
        document.set(name, "default_tenant", tenant.as_str())?;
    }
    files.guard_new(name, &mut document)?;
    match login.policy {
        None => {}
        Some(Policy::Open) => document.unset(name, "policy")?,
        Some(policy) => document.set(name, "policy", policy.as_str())?,
    }
    if make_default {
        document.set_default(name);
    }
    Ok(document)
}

fn record(login: &NewLogin) -> KeyRecord {
    KeyRecord {
        store: login.store.to_string(),
        origin: login.host.origin().to_string(),
        provider: login.provider.to_string(),
        key_prefix: login.key.prefix().to_string(),
        stored_at: login.now,
        expires_at: login.expires_at,
    }
}

fn write(
    home: &NtroDir,
    document: &Document,
    records: &KeyRecords,
    lock: &FileLock,
) -> Result<(), Error> {
    records.save(&home.logins(), lock)?;
    Ok(document.save(lock)?)
}

/// Erases the key that the login has replaced, where it lies elsewhere than the new one.
fn erase_old(
    old: &StoredKey,
    login: &NewLogin,
    item: &Item,
    stores: &Stores,
    lock: &FileLock,
) -> Option<secrets::Error> {
    let elsewhere = old.kind != login.store || old.item != *item;
    if !elsewhere || !old.recorded || old.kind == StoreKind::Plaintext {
        return None;
    }
    stores.get(old.kind).erase(&old.item, lock).err()
}

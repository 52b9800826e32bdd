use jiff::Timestamp;

use super::{ConfigFiles, Error};
use crate::config::{EditedDocument, NtroDir};
use crate::resolve::StoredKey;
use crate::secrets::{self, Item, SecretStore, StoreKind, Stores};
use crate::state::{KeyRecord, KeyRecords};
use ntro_base::disk::FileLock;
use ntro_base::{
    ApiKey, ConnectionName, Host, KeyPrefix, Origin, Policy, Provider, TenantSlug, shown_host,
};

/// A new key and its connection.
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
    /// When the key expires, if the provider reports it.
    pub expires_at: Option<Timestamp>,
    /// The tenant to use when no other is named; `None` keeps the current one.
    pub default_tenant: Option<TenantSlug>,
    /// The store for the key.
    pub store: StoreKind,
    /// Whether to make the connection the default; `None`: only if there is no default yet.
    pub make_default: Option<bool>,
    /// Whether an existing connection may be pointed to another origin.
    pub overwrite: bool,
    /// The policy of the key; `None` keeps the current one.
    pub policy: Option<Policy>,
    /// The current time.
    pub now: Timestamp,
}

/// The result of a login.
#[derive(Debug)]
pub struct Stored {
    /// Whether the connection is now the default.
    pub is_default: bool,
    /// Why an older key of the connection could not be erased, if so.
    pub left_behind: Option<secrets::Error>,
    /// The recorded key that this one replaced, and its origin. Its server still accepts it.
    pub replaced: Option<(KeyPrefix, Origin)>,
}

/// The existing connection that a login would replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The current host, safe to display.
    pub host: Option<String>,
    /// Whether the current host has the same origin.
    pub same_origin: bool,
    /// The current provider, if recorded.
    pub provider: Option<Provider>,
    /// The prefix of the current key, if recorded.
    pub key_prefix: Option<KeyPrefix>,
}

impl Replaced {
    /// Fails if the login would change the origin or the provider.
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

/// Returns the connection that a login with this name and host would replace, if it exists.
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
            // A connection without a host can be pointed to any origin.
            same_origin: entry.host.is_none() || existing.as_ref() == Some(&host.origin()),
            key_prefix: login.map(|login| KeyPrefix::recorded(&login.key_prefix)),
        })
    }
}

/// Stores a key and its connection, or neither.
///
/// # Errors
///
/// Fails when the connection exists for another origin and must not be overwritten, and when the
/// store, `logins.toml` or `config.toml` cannot be written. Earlier writes are then undone.
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
        // The store returns something else than was written, and no connection uses the item.
        let _ = store.erase(&item, &lock);
    }
    let before = put?;
    if let Err(first) = write(home, &document, &records, &lock) {
        let undone = match (login.store, before) {
            // The key is part of the file that could not be written.
            (StoreKind::Plaintext, _) => Ok(()),
            (_, Some(key)) => store.put(&item, &key, &lock),
            (_, None) => store.erase(&item, &lock).map(drop),
        };
        // Restores `logins.toml`, which may have been written. A record without a key is harmless.
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
        replaced: replaced_key(&files, login),
    })
}

/// Stores the key and returns the previous one. The `plaintext` store gets the key together with
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
        // The item is not a key, so there is nothing to restore.
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
) -> Result<EditedDocument, Error> {
    let name = login.name.as_str();
    let mut document = files.document(home)?;
    let moved = files.replaced(&login.name, &login.host);
    if moved.is_some_and(|replaced| !replaced.same_origin) {
        // The command prints tokens for the previous server.
        document.unset(name, "admin_token_command");
    }
    document.set(name, "host", login.host.as_str())?;
    document.set(name, "provider", login.provider.as_str())?;
    document.set(name, "store", login.store.as_str())?;
    match login.store {
        StoreKind::Plaintext => document.set(name, "api_key", login.key.expose())?,
        _ => document.unset(name, "api_key"),
    }
    if let Some(tenant) = &login.default_tenant {
        document.set(name, "default_tenant", tenant.as_str())?;
    }
    files.guard_new(name, &mut document)?;
    match login.policy {
        None => {}
        Some(Policy::Open) => document.unset(name, "policy"),
        Some(policy) => document.set(name, "policy", policy.as_str())?,
    }
    if make_default {
        document.set_default(name);
    }
    Ok(document.finish()?)
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
    document: &EditedDocument,
    records: &KeyRecords,
    lock: &FileLock,
) -> Result<(), Error> {
    records.save(&home.logins(), lock)?;
    Ok(document.save(lock)?)
}

/// Returns the recorded key that the new one replaces, unless it has expired.
fn replaced_key(files: &ConfigFiles, login: &NewLogin) -> Option<(KeyPrefix, Origin)> {
    files.config.connections.get(login.name.as_str())?;
    let old = files.records.get(login.name.as_str())?;
    let prefix = KeyPrefix::recorded(&old.key_prefix);
    let is_live = old.expires_at.is_none_or(|at| at > login.now);
    let is_other = prefix != login.key.prefix();
    let origin = old.origin.parse().ok()?;
    (is_live && is_other).then_some((prefix, origin))
}

/// Erases the replaced key if the new key does not overwrite it.
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

//! Where a connection's key lies, and the exchange of the key that lies there for another.

use jiff::Timestamp;

use super::Error;
use crate::BoundKey;
use crate::config::{Config, KeyRecords, NtroDir};
use crate::resolve::{self, Flags, Resolver, Source};
use crate::secrets::{self, Item, StoreKind, Stores};
use ntro_base::disk::FileLock;
use ntro_base::env::Env;
use ntro_base::{ApiKey, ConnectionName, Host, Provider};

/// Where the key of a connection lies, and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredLocation {
    pub(super) kind: StoreKind,
    pub(super) item: Item,
    pub(super) provider: Provider,
    pub(super) host: Host,
}

impl StoredLocation {
    /// Finds the stored key of a connection as every command does, without the variables that
    /// override it.
    pub(super) fn find(
        home: &NtroDir,
        name: &ConnectionName,
        stores: &Stores,
    ) -> Result<(Self, ApiKey), Error> {
        let config = Config::read(&home.config())?;
        let records = KeyRecords::read(&home.logins())?;
        let resolver = Resolver {
            flags: &Flags::of_connection(name.clone()),
            env: &Env::empty(),
            pin: None,
            config: &config,
            records: &records,
            home,
        };
        let connection = resolver.connection(stores)?;
        let (key, item) = parts(name, &connection.key.value);
        let place = Self {
            // A key in the clear beside a store that has none is where it is found.
            kind: match connection.key.source {
                Source::Store(kind) => kind,
                _ => StoreKind::Plaintext,
            },
            item,
            provider: connection.provider.value,
            host: connection.host.value,
        };
        Ok((place, key))
    }

    /// Puts `to` in the place of `from`, reads it back, and notes it in `logins.toml`; or leaves
    /// everything as it was.
    pub(super) fn exchange(
        &self,
        home: &NtroDir,
        stores: &Stores,
        [from, to]: [&ApiKey; 2],
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let name = &self.item.connection;
        let lock = home.lock()?;
        // Everything is looked at again under the lock: a login, a rename or a removal may have
        // come in between.
        match Self::find(home, name, stores) {
            Ok((place, key)) if place == *self && key == *from => {}
            Ok(_) => return Err(Error::Changed { name: name.clone() }),
            Err(Error::Connection(error)) if is_gone(&error) => {
                return Err(Error::Changed { name: name.clone() });
            }
            Err(error) => return Err(error),
        }
        let store = stores.get(self.kind);
        let put = store.put(&self.item, to, &lock);
        match (put, store.get(&self.item)) {
            // Also where the store did not answer in time, and did it all the same.
            (_, Ok(Some(key))) if key == *to => {}
            (Err(error), Ok(Some(key))) if key == *from => return Err(error.into()),
            (put, _) => {
                let back = store.put(&self.item, from, &lock);
                return Err(match (back, store.get(&self.item)) {
                    (_, Ok(Some(key))) if key == *from => match put {
                        Err(error) => error.into(),
                        Ok(()) => Error::NotKept { store: self.kind },
                    },
                    (back, read) => Error::Lost {
                        name: name.clone(),
                        store: self.kind,
                        second: said(back, read),
                    },
                });
            }
        }
        self.record(home, to, expires_at, now, &lock)
    }

    /// Brings the record of the login up to date, where there is one for this place.
    pub(super) fn record(
        &self,
        home: &NtroDir,
        key: &ApiKey,
        expires_at: Option<Timestamp>,
        now: Timestamp,
        lock: &FileLock,
    ) -> Result<(), Error> {
        let mut records = KeyRecords::read(&home.logins())?;
        let name = self.item.connection.as_str();
        let Some(login) = records.get(name) else {
            return Ok(());
        };
        let here = login.store == self.kind.as_str() && login.origin == self.item.origin.as_str();
        if !here || login.key_prefix == key.prefix().as_str() {
            return Ok(());
        }
        let mut login = login.clone();
        login.key_prefix = key.prefix().to_string();
        login.stored_at = now;
        login.expires_at = expires_at;
        records.insert(name, login);
        Ok(records.save(&home.logins(), lock)?)
    }
}

/// Whether a connection is not there any more as it was.
fn is_gone(error: &resolve::Error) -> bool {
    use resolve::Error as E;
    matches!(
        error,
        E::UnknownConnection { .. }
            | E::NoHost { .. }
            | E::NoKey { .. }
            | E::KeyBoundElsewhere { .. }
    )
}

/// Returns the key itself, and the item that it is stored under.
fn parts(name: &ConnectionName, bound: &BoundKey) -> (ApiKey, Item) {
    let origin = bound.origin().clone();
    let key = bound.for_origin(&origin).cloned();
    #[expect(
        clippy::expect_used,
        reason = "it is the origin that the key is bound to"
    )]
    let key = key.expect("a key comes out for its own origin");
    (key, Item::new(name.clone(), origin))
}

fn said(put: Result<(), secrets::Error>, read: Result<Option<ApiKey>, secrets::Error>) -> String {
    match (put, read) {
        (Err(error), _) | (Ok(()), Err(error)) => error.to_string(),
        (Ok(()), Ok(_)) => "it says that all went well".to_owned(),
    }
}

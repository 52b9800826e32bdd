//! The location of a connection's key, and the replacement of the key there.

use jiff::Timestamp;

use super::Error;
use crate::BoundKey;
use crate::ops::ConfigFiles;
use crate::resolve::{self, Connection, Source};
use crate::secrets::{self, Item, StoreKind};
use crate::session::Session;
use crate::state::KeyRecords;
use ntro_base::disk::FileLock;
use ntro_base::{ApiKey, ConnectionName, Host, Provider};

/// The location of a connection's key, and the provider and host of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredLocation {
    pub(super) kind: StoreKind,
    pub(super) item: Item,
    pub(super) provider: Provider,
    pub(super) host: Host,
}

impl StoredLocation {
    /// Finds the stored key of a connection, ignoring the variables that override it.
    pub(super) fn find(session: &Session, name: &ConnectionName) -> Result<(Self, ApiKey), Error> {
        Ok(Self::of(name, session.stored_connection(name)?))
    }

    /// Like [`StoredLocation::find`], but rereads the files. Returns the records as well.
    pub(super) fn find_again(
        session: &Session,
        name: &ConnectionName,
    ) -> Result<(Self, ApiKey, KeyRecords), Error> {
        let home = session.home()?;
        let files = ConfigFiles::read_only(home)?;
        let resolution = files.inputs(home).alone(name);
        let connection = resolution.connection(session.stores()?)?;
        let (place, key) = Self::of(name, connection);
        Ok((place, key, files.records))
    }

    fn of(name: &ConnectionName, connection: Connection) -> (Self, ApiKey) {
        let (key, item) = parts(name, &connection.key.value);
        let place = Self {
            // A plain-text key counts even if the entry names a store that has no key.
            kind: match connection.key.source {
                Source::Store(kind) => kind,
                _ => StoreKind::Plaintext,
            },
            item,
            provider: connection.provider.value,
            host: connection.host.value,
        };
        (place, key)
    }

    /// Returns the currently stored key.
    pub(super) fn get(&self, session: &Session) -> Result<Option<ApiKey>, Error> {
        Ok(session.stores()?.get(self.kind).get(&self.item)?)
    }

    /// Replaces the key `from` with `to`, reads it back, and records it in `logins.toml`. On
    /// failure nothing changes.
    pub(super) fn exchange(
        &self,
        session: &Session,
        [from, to]: [&ApiKey; 2],
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let name = &self.item.connection;
        let lock = session.home()?.lock()?;
        // Rereads everything under the lock: a login, a rename or a removal may have happened
        // meanwhile.
        let records = match Self::find_again(session, name) {
            Ok((place, key, records)) if place == *self && key == *from => records,
            Ok(_) => return Err(Error::Changed { name: name.clone() }),
            Err(Error::Connection(error)) if is_gone(&error) => {
                return Err(Error::Changed { name: name.clone() });
            }
            Err(error) => return Err(error),
        };
        let store = session.stores()?.get(self.kind);
        let put = store.put(&self.item, to, &lock);
        match (put, store.get(&self.item)) {
            // Also covers a store that timed out but stored the key.
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
        self.record(session, records, to, expires_at, now, &lock)
    }

    /// Updates the record of the login, if there is one for this location.
    pub(super) fn record(
        &self,
        session: &Session,
        mut records: KeyRecords,
        key: &ApiKey,
        expires_at: Option<Timestamp>,
        now: Timestamp,
        lock: &FileLock,
    ) -> Result<(), Error> {
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
        Ok(records.save(&session.home()?.logins(), lock)?)
    }
}

/// Returns whether the connection was removed or changed.
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

/// Returns the key and the item that it is stored under.
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

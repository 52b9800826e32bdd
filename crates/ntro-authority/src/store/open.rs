//! Which kind of store holds a database. A new kind of database extends every `match` here.

use std::sync::Arc;

use super::sqlite::{self, Inspection, SqliteFiles};
use super::{Store, StoreError, Subscriber, postgres};
use crate::settings::Database;

/// Opens a database beside a serving process, or without one.
pub(crate) fn open(database: &Database) -> Result<Arc<dyn Store>, StoreError> {
    match database {
        Database::Sqlite(path) => Ok(Arc::new(sqlite::open(&SqliteFiles::new(path))?)),
        Database::Postgres(url) => Ok(Arc::new(postgres::open(url)?)),
    }
}

/// Makes the tables of a database that does not get them by being opened.
pub(crate) fn init(database: &Database) -> Result<(), StoreError> {
    match database {
        Database::Sqlite(path) => sqlite::open(&SqliteFiles::new(path)).map(drop),
        Database::Postgres(url) => postgres::init(url),
    }
}

/// Opens a database to serve it: hands everything to the subscriber, then every change.
pub(crate) fn serve(
    database: &Database,
    subscriber: Arc<dyn Subscriber>,
) -> Result<Arc<dyn Store>, StoreError> {
    match database {
        Database::Sqlite(path) => {
            let store = sqlite::serve(&SqliteFiles::new(path), subscriber)?;
            Ok(Arc::new(store))
        }
        Database::Postgres(url) => Ok(Arc::new(postgres::serve(url, subscriber)?)),
    }
}

/// Returns the proof of the database's pepper, if the database has one yet.
pub(crate) fn pepper_check(database: &Database) -> Result<Option<[u8; 32]>, StoreError> {
    match database {
        Database::Sqlite(path) => sqlite::pepper_check(&SqliteFiles::new(path)),
        Database::Postgres(url) => postgres::pepper_check(url),
    }
}

/// Looks at a database, and writes nothing; `None` if there is none.
pub(crate) fn inspect(database: &Database) -> Result<Option<Inspection>, StoreError> {
    if database.missing_file().is_some() {
        return Ok(None);
    }
    match database {
        Database::Sqlite(path) => sqlite::inspect(path).map(Some),
        Database::Postgres(url) => postgres::inspect(url),
    }
}

/// Writes the proof of the database's pepper, unless there is one already.
pub(crate) fn set_pepper_check(database: &Database, check: [u8; 32]) -> Result<(), StoreError> {
    match database {
        Database::Sqlite(path) => sqlite::set_pepper_check(&SqliteFiles::new(path), check),
        Database::Postgres(url) => postgres::set_pepper_check(url, check),
    }
}

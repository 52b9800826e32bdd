//! Which kind of store holds a database. A new kind of database extends every `match` here.

use std::sync::Arc;

use super::sqlite::{self, Inspection, SqliteFiles};
use super::{PostgresReport, Store, StoreError, Subscriber, postgres};
use crate::lease::Lease;
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

/// Opens a database to serve it: makes the subscriber, which is given the lease of this process if
/// the database has several, and hands it everything, then every change.
pub(crate) fn serve<S: Subscriber + 'static>(
    database: &Database,
    subscriber: impl FnOnce(Option<Arc<Lease>>) -> S,
) -> Result<(Arc<dyn Store>, Arc<S>), StoreError> {
    match database {
        Database::Sqlite(path) => {
            let subscriber = Arc::new(subscriber(None));
            let store = sqlite::serve(&SqliteFiles::new(path), subscriber.clone())?;
            Ok((Arc::new(store), subscriber))
        }
        Database::Postgres(url) => {
            let joining = postgres::join(url)?;
            let subscriber = Arc::new(subscriber(Some(joining.lease())));
            let store = postgres::serve(joining, subscriber.clone())?;
            Ok((Arc::new(store), subscriber))
        }
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

/// Reports how a database is reached and replicated; `None` for one without replicas.
pub(crate) fn report(database: &Database) -> Result<Option<PostgresReport>, StoreError> {
    match database {
        Database::Sqlite(_) => Ok(None),
        Database::Postgres(url) => postgres::report(url).map(Some),
    }
}

/// Writes the proof of the database's pepper, unless there is one already.
pub(crate) fn set_pepper_check(database: &Database, check: [u8; 32]) -> Result<(), StoreError> {
    match database {
        Database::Sqlite(path) => sqlite::set_pepper_check(&SqliteFiles::new(path), check),
        Database::Postgres(url) => postgres::set_pepper_check(url, check),
    }
}

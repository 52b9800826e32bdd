//! Makes the database, brings its schema up to date, and opens connections.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::feed::take_over;
use super::{SqliteFiles, StoreError};
use crate::store::sql::{AUDIT_LOGS, MIGRATIONS, build_audit_logs};
use ntro_base::disk;

/// "ntro" in ASCII: marks a database as an authority's.
pub(super) const APPLICATION_ID: i64 = 0x6e74_726f;
/// How long SQLite waits for the transaction of another process.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// Makes the database if it is missing, and brings its schema up to date.
pub(super) fn prepare(files: &SqliteFiles) -> Result<Connection, StoreError> {
    let path = files.database();
    let lock = files.lock()?;
    // A database that cannot be looked at may exist: an empty one must not replace it.
    let exists = path
        .try_exists()
        .map_err(disk::Error::io("look at", path))?;
    if !exists {
        // SQLite would make it readable by all. Its side files copy the mode of this file.
        disk::replace(path, b"", &lock)?;
    }
    let connection = connect(path)?;
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let found = number("PRAGMA user_version")?;
    let application = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application != APPLICATION_ID && (found != 0 || application != 0 || tables != 0) {
        return Err(StoreError::NotOurs {
            database: path.display().to_string(),
        });
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::NewerSchema {
            database: path.display().to_string(),
            found,
            known,
        });
    }
    connection.execute_batch("PRAGMA journal_mode = WAL")?;
    let _unserved = (1..AUDIT_LOGS)
        .contains(&found)
        .then(|| take_over(files))
        .transpose()?;
    for (step, version) in MIGRATIONS
        .iter()
        .zip(1..)
        .skip(usize::try_from(found).unwrap_or(0))
    {
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {}", step.sqlite))?;
        if version == AUDIT_LOGS {
            build_audit_logs(&connection)?;
        }
        connection.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}; COMMIT;"
        ))?;
    }
    Ok(connection)
}

pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
        .map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::NotOurs {
                database: path.display().to_string(),
            },
            _ => error.into(),
        })?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// The system follows at most 40 links on one path, those of folders included. `disk::replace`
    /// follows the links of the file one by one, and would reach the database here.
    #[test]
    fn unreadable_database_is_not_replaced() {
        const LINKS: usize = 25;

        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("registry"), "years of work").unwrap();
        symlink(".", at("here")).unwrap();
        for link in 1..LINKS {
            symlink(format!("here/{}", link + 1), at(&link.to_string())).unwrap();
        }
        symlink("registry", at(&LINKS.to_string())).unwrap();
        let prepared = prepare(&SqliteFiles::new(&at("1")));
        assert_eq!(fs::read(at("registry")).unwrap(), b"years of work");
        let error = prepared.unwrap_err();
        assert!(error.to_string().contains("cannot look at"), "{error}");
    }
}

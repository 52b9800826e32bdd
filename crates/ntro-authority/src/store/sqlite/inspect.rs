use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use url::Url;

use super::schema::APPLICATION_ID;
use crate::key_material::absolute;
use crate::store::StoreError;
use crate::store::sql::MIGRATIONS;

/// What a database says about itself.
pub(crate) struct Inspection {
    /// The steps of the schema that a start would add.
    pub(crate) pending_steps: usize,
    /// The proof of its pepper, if it has one yet.
    pub(crate) pepper_check: Option<[u8; 32]>,
}

/// Looks at a database that exists, and writes nothing, not even a side file.
pub(in crate::store) fn inspect(path: &Path) -> Result<Inspection, StoreError> {
    let not_ours = || StoreError::NotOurs {
        database: path.display().to_string(),
    };
    let mut url = Url::from_file_path(absolute(path)).map_err(|()| not_ours())?;
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if !Path::new(&wal).exists() {
        // No process writes it, and opening it otherwise would make side files.
        url.set_query(Some("immutable=1"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(url.as_str(), flags)?;
    let number = |pragma: &str| {
        let number = connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
        number.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => not_ours(),
            _ => error.into(),
        })
    };
    let found = number("PRAGMA user_version")?;
    if number("PRAGMA application_id")? != APPLICATION_ID {
        return Err(not_ours());
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let pending_steps = usize::try_from(known - found).map_err(|_| StoreError::NewerSchema {
        database: path.display().to_string(),
        found,
        known,
    })?;
    let pepper_check =
        connection.query_row("SELECT pepper_check FROM meta", [], |row| row.get(0))?;
    Ok(Inspection {
        pending_steps,
        pepper_check,
    })
}

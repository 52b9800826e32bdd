use std::path::PathBuf;

/// Why the registry could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Something with this name is there already.
    #[error("there is already {what} `{name}`")]
    Conflict {
        /// "a tenant with the slug", …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The database was written by a newer version of this program.
    #[error("`{}` has schema {found}, this version knows schemas up to {known}", path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest one known.
        known: i64,
    },
    /// The file is no database of an authority.
    #[error("`{}` is not a database of an authority", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// Another process serves this database.
    #[error("another process serves `{}`", path.display())]
    Served {
        /// The database.
        path: PathBuf,
    },
    /// The change is durable, but the process that serves this database did not confirm it.
    #[error("the change is written, but the process that serves `{}` has not confirmed it", path.display())]
    Unconfirmed {
        /// The database.
        path: PathBuf,
    },
    /// The database has a pepper, and it is not this one.
    #[error("the pepper `{}` is not the one that the keys in the database were hashed with", path.display())]
    WrongPepper {
        /// The file that holds the pepper.
        path: PathBuf,
    },
    /// The database has keys, and their pepper is gone.
    #[error("the pepper `{}` is missing: without it no key in the database can be verified", path.display())]
    NoPepper {
        /// The file that should hold the pepper.
        path: PathBuf,
    },
    /// A value in the database makes no sense.
    #[error("the database holds an invalid {what}")]
    Invalid {
        /// "tenant status", …
        what: &'static str,
    },
    /// SQLite refused.
    #[error("the database refused: {0}")]
    Sqlite(#[source] SqliteError),
    /// A file beside the database could not be used.
    #[error(transparent)]
    Disk(#[from] ntro_base::disk::Error),
    /// The system gave no thread to read or write with.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The store has ended.
    #[error("the store has ended")]
    Ended,
    /// The batch that the change was written with could not be committed.
    #[error("the change could not be committed: {0}")]
    Uncommitted(String),
}

/// What SQLite says, in words. Of which library it is an error is not promised.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SqliteError(rusqlite::Error);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(SqliteError(error))
    }
}

impl StoreError {
    /// Returns whether the database cannot do its work at the moment, and may again later: a full
    /// disk, a file that became read-only, a lock that is held.
    #[must_use]
    pub fn is_unavailability(&self) -> bool {
        use rusqlite::ErrorCode as C;

        match self {
            Self::Ended | Self::Unconfirmed { .. } | Self::Uncommitted(_) => true,
            Self::Sqlite(SqliteError(error)) => matches!(
                error.sqlite_error_code(),
                Some(
                    C::DiskFull
                        | C::ReadOnly
                        | C::SystemIoFailure
                        | C::CannotOpen
                        | C::DatabaseBusy
                        | C::DatabaseLocked
                        | C::FileLockingProtocolFailed
                        | C::OutOfMemory
                )
            ),
            _ => false,
        }
    }
}

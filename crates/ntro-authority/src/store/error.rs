use std::path::PathBuf;

use super::PolicyViolations;
use super::postgres::PostgresError;

/// An error of the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The name is taken.
    #[error("there is already {what} `{name}`")]
    Conflict {
        /// "a tenant with the slug", …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The policy of the tenant does not allow the new key.
    #[error("{0}")]
    Policy(PolicyViolations),
    /// A newer version of this program has written the database.
    #[error("`{database}` has schema {found}, this version knows schemas up to {known}")]
    NewerSchema {
        /// The database.
        database: String,
        /// Its schema.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// The database is not one of an authority.
    #[error("`{database}` is not a database of an authority")]
    NotOurs {
        /// The database.
        database: String,
    },
    /// Another process serves this database.
    #[error("another process serves `{database}`")]
    Served {
        /// The database.
        database: String,
    },
    /// The change is durable, but the process that serves this database did not confirm it.
    #[error("the change is written, but the process that serves `{database}` has not confirmed it")]
    Unconfirmed {
        /// The database.
        database: String,
    },
    /// The database has no tables yet.
    #[error("`{database}` holds no registry yet")]
    NoRegistry {
        /// The database.
        database: String,
    },
    /// The database was copied from another PostgreSQL cluster.
    #[error(
        "`{database}` is a copy of a registry that another PostgreSQL cluster holds: it may lack \
         revocations"
    )]
    OtherCluster {
        /// The database.
        database: String,
    },
    /// The changes were not followed for too long to catch up with them.
    #[error("the database was out of reach for too long: restart the server")]
    Gap,
    /// The commit was not confirmed, so the change may be written or not.
    #[error("the change may be written, but PostgreSQL has not confirmed it: repeat it ({reason})")]
    Unknown {
        /// The reason.
        reason: String,
    },
    /// A text that PostgreSQL cannot hold.
    #[error("a text has a NUL character")]
    Nul,
    /// The database is an older copy of the one that was served.
    #[error(
        "the database was replaced by an older copy (epoch {found}, already served: {served}): \
         restart the server"
    )]
    OlderDatabase {
        /// The epoch of the copy.
        found: i64,
        /// The epoch that was served before.
        served: i64,
    },
    /// The pepper is not the one that the keys were hashed with.
    #[error("the pepper `{}` is not the one that the keys in the database were hashed with", path.display())]
    WrongPepper {
        /// The file with the pepper.
        path: PathBuf,
    },
    /// The pepper that the keys were hashed with is missing.
    #[error("the pepper `{}` is missing: without it no key in the database can be verified", path.display())]
    NoPepper {
        /// The file that should have the pepper.
        path: PathBuf,
    },
    /// The database has an invalid value.
    #[error("the database holds an invalid {what}")]
    Invalid {
        /// "tenant status", …
        what: &'static str,
    },
    /// SQLite has failed.
    #[error("the database refused: {0}")]
    Sqlite(#[source] SqliteError),
    /// PostgreSQL has failed.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] PostgresError),
    /// A file beside the database could not be used.
    #[error(transparent)]
    Disk(#[from] ntro_base::disk::Error),
    /// The system could not start a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The store has ended.
    #[error("the store has ended")]
    Ended,
    /// The batch of the change could not be committed.
    #[error("the change could not be committed: {0}")]
    Uncommitted(String),
}

/// An error of SQLite. The library behind it is not part of the interface.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SqliteError(rusqlite::Error);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(SqliteError(error))
    }
}

impl StoreError {
    /// Returns whether the same call may succeed later: after a full disk, a file that became
    /// read-only, a held lock.
    #[must_use]
    pub fn is_unavailability(&self) -> bool {
        use rusqlite::ErrorCode as C;

        match self {
            Self::Ended
            | Self::Unconfirmed { .. }
            | Self::Uncommitted(_)
            | Self::Unknown { .. }
            | Self::Gap => true,
            Self::Postgres(error) => error.is_unavailability(),
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

    /// Returns the conflict that broke a rule of uniqueness, or else the error itself.
    pub(super) fn conflict(self, what: &'static str, name: impl FnOnce() -> String) -> Self {
        match &self {
            Self::Sqlite(SqliteError(rusqlite::Error::SqliteFailure(failure, _)))
                if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
            {
                Self::Conflict { what, name: name() }
            }
            Self::Postgres(error) if error.is_unique_violation() => {
                Self::Conflict { what, name: name() }
            }
            _ => self,
        }
    }
}

//! The database file, and the locks in the private folder beside it.
//!
//! The folder is for the owner alone, so that the folder of the database itself may have any
//! permissions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::key_material::{absolute, private_folder};
use ntro_base::disk::{self, FileLock};

/// The paths of one database.
#[derive(Clone, Debug)]
pub(crate) struct SqliteFiles {
    database: PathBuf,
    folder: PathBuf,
}

impl SqliteFiles {
    /// Names the files; touches none.
    pub(crate) fn new(database: &Path) -> Self {
        Self {
            database: absolute(database),
            folder: private_folder(database),
        }
    }

    /// Returns the path of the database.
    pub(super) fn database(&self) -> &Path {
        &self.database
    }

    /// Waits for the lock under which the database is made and its schema is brought up to date.
    pub(super) fn lock(&self) -> Result<FileLock, disk::Error> {
        FileLock::acquire(&self.folder.join("lock"))
    }

    /// Takes the lock that the serving process holds until it ends.
    pub(super) fn serving(&self, timeout: Duration) -> Result<FileLock, disk::Error> {
        FileLock::acquire_within(&self.folder.join("serving"), timeout)
    }
}

//! The files beside the database: a private folder with the pepper, the issuer's key and two locks.
//!
//! For the database `registry.db` they lie in `registry.db.private`, a folder for the owner alone, so
//! that the folder of the database itself may have any permissions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use ntro_base::disk::{self, FileLock};

/// A pepper or a key of the issuer is far smaller.
const LARGEST: u64 = 16 * 1024;

/// Where the files of one database lie.
#[derive(Clone, Debug)]
pub(super) struct DatabaseFiles {
    database: PathBuf,
    folder: PathBuf,
}

impl DatabaseFiles {
    /// Names the files; touches none.
    pub(super) fn beside(database: &Path) -> Self {
        let database = std::path::absolute(database).unwrap_or_else(|_| database.to_owned());
        let mut folder = database.clone().into_os_string();
        folder.push(".private");
        Self {
            database,
            folder: folder.into(),
        }
    }

    /// The database itself.
    pub(super) fn database(&self) -> &Path {
        &self.database
    }

    /// The secret that every key is hashed with.
    pub(super) fn pepper(&self) -> PathBuf {
        self.folder.join("pepper")
    }

    /// The signing key of the built-in issuer.
    pub(super) fn issuer(&self) -> PathBuf {
        self.folder.join("issuer.pk8")
    }

    /// Waits for the lock under which the files are made and the schema is brought up to date.
    pub(super) fn lock(&self) -> Result<FileLock, disk::Error> {
        FileLock::acquire(&self.folder.join("lock"))
    }

    /// Takes the lock that whoever serves the database holds for as long as it does.
    pub(super) fn serving(&self, timeout: Duration) -> Result<FileLock, disk::Error> {
        FileLock::acquire_within(&self.folder.join("serving"), timeout)
    }

    /// Reads a secret; `None` when there is none.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, disk::Error> {
        Ok(disk::read_bounded(path, LARGEST)?.map(Zeroizing::new))
    }

    /// Writes a secret down, unless another process has made one meanwhile; returns the one kept.
    pub(super) fn keep(
        &self,
        path: &Path,
        made: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, disk::Error> {
        let lock = self.lock()?;
        if let Some(theirs) = self.read(path)? {
            return Ok(theirs);
        }
        disk::replace(path, &made, &lock)?;
        Ok(made)
    }
}

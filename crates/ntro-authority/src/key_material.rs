//! The secrets of an authority: the pepper that keys are hashed with, and the signing keys of the
//! built-in issuer, of identity headers and of the audit logs.

use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::settings::Database;
use ntro_base::disk::{self, FileLock};

/// A pepper or a signing key is far smaller.
const LARGEST: u64 = 16 * 1024;

/// Where the key material of an authority is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyMaterial {
    /// The private folder beside a SQLite database: `registry.db.private` for `registry.db`.
    #[default]
    BesideDatabase,
    /// A folder, which several databases or machines may share.
    Folder(PathBuf),
}

impl KeyMaterial {
    /// Returns the folder that holds the key material of a database.
    pub fn folder(&self, database: &Database) -> Result<PathBuf, Error> {
        match (self, database) {
            (Self::Folder(folder), _) => Ok(absolute(folder)),
            (Self::BesideDatabase, Database::Sqlite(path)) => Ok(private_folder(path)),
            (Self::BesideDatabase, Database::Postgres(_)) => Err(Error::NoKeyMaterial),
        }
    }

    pub(crate) fn files(&self, database: &Database) -> Result<KeyFiles, Error> {
        Ok(KeyFiles {
            folder: self.folder(database)?,
            is_named: matches!(self, Self::Folder(_)),
        })
    }
}

/// Returns the folder beside a SQLite database that only its owner can use.
pub(crate) fn private_folder(database: &Path) -> PathBuf {
    let mut folder = absolute(database).into_os_string();
    folder.push(".private");
    folder.into()
}

/// Returns a path that does not depend on the working folder.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The files with the key material. Missing ones are made when they are first needed.
#[derive(Clone, Debug)]
pub(crate) struct KeyFiles {
    folder: PathBuf,
    /// Whether the user has named the folder.
    is_named: bool,
}

impl KeyFiles {
    /// Returns the path of the secret that every key is hashed with.
    pub(crate) fn pepper(&self) -> PathBuf {
        self.folder.join("pepper")
    }

    /// Returns the path of the built-in issuer's signing key.
    pub(crate) fn issuer(&self) -> PathBuf {
        self.folder.join("issuer.pk8")
    }

    /// Returns the path of the signing key of identity headers.
    pub(crate) fn identity(&self) -> PathBuf {
        self.folder.join("identity.pk8")
    }

    /// Returns the path of the key that signs the checkpoints of the audit logs.
    pub(crate) fn audit(&self) -> PathBuf {
        self.folder.join("audit.pk8")
    }

    /// Reads an Ed25519 key pair (PKCS #8); makes one if there is none yet.
    pub(crate) fn ed25519(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
        if let Some(pair) = self.read(path)? {
            return Ok(pair);
        }
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| Error::NoRandomness)?;
        self.keep(path, Zeroizing::new(made.as_ref().to_vec()))
    }

    /// Reads a secret; `None` when there is none.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, disk::Error> {
        Ok(disk::read_bounded(path, LARGEST)?.map(Zeroizing::new))
    }

    /// Writes a new secret, unless another process has written one meanwhile; returns the one kept.
    pub(crate) fn keep(
        &self,
        path: &Path,
        made: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        // The lock restricts its folder to the owner. A folder that the user has named may hold
        // other things, so its permissions are not changed.
        if self.is_named && disk::inspect(&self.folder).is_some() {
            return Err(Error::SharedFolder {
                path: self.folder.clone(),
            });
        }
        let lock = FileLock::acquire(&self.folder.join("lock"))?;
        if let Some(theirs) = self.read(path)? {
            return Ok(theirs);
        }
        disk::replace(path, &made, &lock)?;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> KeyFiles {
        let database = Database::Sqlite(folder.join("registry.db"));
        KeyMaterial::Folder(folder.join("keys"))
            .files(&database)
            .unwrap()
    }

    #[test]
    fn default_folder_is_beside_database() {
        let database = Database::Sqlite("/srv/registry.db".into());
        let folder = KeyMaterial::default().folder(&database).unwrap();
        assert_eq!(folder, absolute(Path::new("/srv/registry.db.private")));
        let named = KeyMaterial::Folder("/srv/keys".into());
        assert_eq!(
            named.folder(&database).unwrap(),
            absolute(Path::new("/srv/keys"))
        );
    }

    #[test]
    fn first_secret_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let keep = |byte: u8| files.keep(&files.pepper(), Zeroizing::new(vec![byte]));
        assert_eq!(keep(1).unwrap().as_slice(), [1]);
        assert_eq!(keep(2).unwrap().as_slice(), [1]);
    }

    #[cfg(unix)]
    #[test]
    fn shared_folder_gets_no_secret() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let keys = folder.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&keys, mode(0o755)).unwrap();
        let kept = files.keep(&files.pepper(), Zeroizing::new(vec![1]));
        assert!(matches!(kept, Err(Error::SharedFolder { .. })));
        let permissions = std::fs::metadata(&keys).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, 0o755);
        std::fs::set_permissions(&keys, mode(0o700)).unwrap();
        files
            .keep(&files.pepper(), Zeroizing::new(vec![1]))
            .unwrap();
    }
}

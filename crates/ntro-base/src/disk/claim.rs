use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::{Error, private};

/// An exclusive right to run a long operation, held until it is dropped or the process ends.
///
/// Unlike a [`FileLock`](super::FileLock), a claim covers one of many operations, so dropping it
/// removes its file. A file left by a killed process is unlocked and can be claimed again.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    _file: File,
}

impl Claim {
    /// Takes the claim, creating the file and its folder; `None` when another process holds it.
    pub fn take(path: &Path) -> Result<Option<Self>, Error> {
        loop {
            let file = private::open_lock(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
            }
            // The previous holder may have removed the file after it was opened here. The lock is
            // then on a file that no other process can find.
            if is_at(&file, path) {
                return Ok(Some(Self {
                    path: path.to_owned(),
                    _file: file,
                }));
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Removed while still locked. A file left behind does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// On Windows an open file cannot be replaced.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claim_is_exclusive_and_cleaned_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home").join(".rotating-local");
        let held = Claim::take(&path).unwrap().unwrap();
        assert!(Claim::take(&path).unwrap().is_none());
        drop(held);
        assert!(!path.exists());
        // A file that a killed process left.
        fs::write(&path, "").unwrap();
        drop(Claim::take(&path).unwrap().unwrap());
        assert!(!path.exists());
    }
}

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::{Error, private};

/// The right to do something that takes long, held until it is dropped, or until the process ends
/// in whatever way.
///
/// Unlike a [`FileLock`](super::FileLock) it stands for one thing of many, so its file goes with
/// it. One that a killed process has left is free, and is taken over.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    _file: File,
}

impl Claim {
    /// Takes the claim, making the file and its folder; `None` when another process holds it.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be made or locked.
    pub fn take(path: &Path) -> Result<Option<Self>, Error> {
        loop {
            let file = private::open_lock(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
            }
            // Whoever held it may have removed the file after it was opened here: what is locked
            // then is no file that anybody else could find.
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
        // While it is locked. Left behind, it would do no harm.
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

/// On Windows a file that is open cannot make way for another.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_one_holder_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home").join(".rotating-local");
        let held = Claim::take(&path).unwrap().unwrap();
        assert!(Claim::take(&path).unwrap().is_none());
        drop(held);
        assert!(!path.exists());
        // What a killed process leaves.
        fs::write(&path, "").unwrap();
        drop(Claim::take(&path).unwrap().unwrap());
        assert!(!path.exists());
    }
}

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Error, private};

/// Between two tries; the system's lock has no wait with a bound.
const PAUSE: Duration = Duration::from_millis(5);

/// The right to write, held until it is dropped, or until the process ends in whatever way.
///
/// The lock lies on a file of its own: on the data file itself it would be lost with the first
/// rename, and two processes would both hold "the" lock.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// How long a writer waits for the others. Each holds the lock for some milliseconds, or
    /// some tenths of a second where a passphrase must be stretched.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// Waits for the lock on `path`, making the file and its folder if they are missing.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened for writing, or when another process keeps the lock
    /// for half a minute.
    pub fn acquire(path: &Path) -> Result<Self, Error> {
        Self::acquire_within(path, Self::PATIENCE)
    }

    /// Waits for the lock on `path` for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`FileLock::acquire`].
    pub fn acquire_within(path: &Path, timeout: Duration) -> Result<Self, Error> {
        let file = private::open_lock(path)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if start.elapsed() < timeout => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked {
                        // Whoever does not wait asks often, and names nobody.
                        holder: match timeout.is_zero() {
                            true => None,
                            false => holder(&file),
                        },
                        path: path.to_owned(),
                        waited: timeout,
                    });
                }
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
            }
        }
    }
}

/// Returns the process that has the lock on a file, if the system tells.
#[cfg(target_os = "linux")]
fn holder(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    // 1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF, with the inode behind the device.
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(4);
        let (pid, place) = (words.next()?, words.next()?);
        // Of another namespace there is no number.
        let pid = pid.parse().ok().filter(|pid| *pid > 0)?;
        place.ends_with(&inode).then_some(pid)
    })
}

/// Nobody else tells.
#[cfg(not(target_os = "linux"))]
fn holder(_file: &File) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_free_again_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home").join(".lock");
        let held = FileLock::acquire(&path).unwrap();
        let second = FileLock::acquire_within(&path, Duration::ZERO);
        assert!(matches!(second, Err(Error::Locked { .. })));
        drop(held);
        FileLock::acquire_within(&path, Duration::ZERO).unwrap();
    }
}

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Error, private};

/// Pause between two attempts; the system's lock call has no timeout.
const PAUSE: Duration = Duration::from_millis(5);

/// The right to write, held until it is dropped or the process ends.
///
/// The lock has a file to itself: a lock on the data file would be lost with the first rename, and
/// two processes could hold it at the same time.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// How long a writer waits for other writers. Each holds the lock for milliseconds, or for
    /// tenths of a second when it derives a key from a passphrase.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// Waits for the lock on `path` for up to [`FileLock::TIMEOUT`], creating the file and its
    /// folder if they are missing.
    pub fn acquire(path: &Path) -> Result<Self, Error> {
        Self::acquire_within(path, Self::TIMEOUT)
    }

    /// Waits for the lock on `path` for at most `timeout`.
    pub fn acquire_within(path: &Path, timeout: Duration) -> Result<Self, Error> {
        let file = private::open_lock(path)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if start.elapsed() < timeout => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked {
                        // A caller that does not wait polls often and needs no holder.
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

/// Returns the process that holds the lock on a file, if the system reports it.
#[cfg(target_os = "linux")]
fn holder(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    // 1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF, with the inode behind the device.
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(4);
        let (pid, place) = (words.next()?, words.next()?);
        // A process in another PID namespace has the number 0.
        let pid = pid.parse().ok().filter(|pid| *pid > 0)?;
        place.ends_with(&inode).then_some(pid)
    })
}

/// Other systems do not report the holder.
#[cfg(not(target_os = "linux"))]
fn holder(_file: &File) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_exclusive_until_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home").join(".lock");
        let held = FileLock::acquire(&path).unwrap();
        let second = FileLock::acquire_within(&path, Duration::ZERO);
        assert!(matches!(second, Err(Error::Locked { .. })));
        drop(held);
        FileLock::acquire_within(&path, Duration::ZERO).unwrap();
    }
}

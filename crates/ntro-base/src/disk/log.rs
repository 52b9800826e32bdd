use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::{Error, FileLock, owner};

/// Opens a log for reading and appending, with mode 0600; creates it if it is missing.
///
/// The lock parameter proves that the caller is the only writer.
pub fn open_log(path: &Path, _lock: &FileLock) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let is_new = !path.exists();
    let open = || {
        let file = options.open(path)?;
        if is_new && let Some(folder) = path.parent() {
            owner::give_to_owner_of(&file, &[folder])?;
        }
        Ok::<_, io::Error>(file)
    };
    open().map_err(Error::io("open the log", path))
}

/// Renames a log to the first of `kept` older ones, and each of these to the next; the last one is
/// replaced.
pub fn rotate_log(path: &Path, kept: usize, _lock: &FileLock) -> Result<(), Error> {
    for number in (0..kept).rev() {
        let (from, to) = (older_log(path, number), older_log(path, number + 1));
        match fs::rename(&from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("rename", &from)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns the path of an older log; number 0 is the log itself.
#[must_use]
pub fn older_log(path: &Path, number: usize) -> PathBuf {
    match number {
        0 => path.to_owned(),
        number => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        }
    }
}

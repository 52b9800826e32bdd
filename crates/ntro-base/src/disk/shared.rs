use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::Error;
use super::trusted::require;

/// Replaces a file of a project, with the mode that the user's umask gives, so that a kill leaves
/// the old file or the new one.
///
/// The folder may belong to others: the file is written beside its place and renamed, never through
/// a link. Anything but a regular file of the user is refused.
pub fn replace_shared(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => require(path, &metadata)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("write", path)(error)),
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = write(temporary, bytes).and_then(|()| fs::rename(temporary, path));
    written.map_err(|error| {
        // Reports the first error; the temporary file may not even exist.
        let _ = fs::remove_file(temporary);
        Error::io("write", path)(error)
    })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn link_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("secret"), "old").unwrap();
        symlink(at("secret"), at("link")).unwrap();
        let error = replace_shared(&at("link"), b"new").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is a symbolic link, not a file"),
            "{error}"
        );
        replace_shared(&at("file"), b"one").unwrap();
        replace_shared(&at("file"), b"two").unwrap();
        assert_eq!(fs::read(at("secret")).unwrap(), b"old");
        assert_eq!(fs::read(at("file")).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

use super::private::read_open;
use super::{Error, permissions};

/// Reads a whole file of at most `limit` bytes from a path that other users may control; `None`
/// when there is none.
///
/// A user who can create files in a folder chooses what a name in it refers to. So this function
/// does not block on a pipe, does not read from a device such as standard input, and reads neither
/// a file that belongs to another user nor one behind another user's symbolic link.
pub fn read_trusted(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let file = match open(path) {
        Ok(file) => file,
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    require(path, &metadata)?;
    read_open(file, &metadata, path, limit).map(Some)
}

fn open(path: &Path) -> Result<File, Error> {
    let first = match open_nonblocking(path, Links::Refuse) {
        Ok(file) => return Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::io("read", path)(error));
        }
        Err(error) => error,
    };
    // It is a symbolic link, or cannot be opened.
    let link = fs::symlink_metadata(path).map_err(Error::io("read", path))?;
    if !link.is_symlink() {
        require(path, &link)?;
        return Err(Error::io("read", path)(first));
    }
    owned(path, &link)?;
    require(path, &fs::metadata(path).map_err(Error::io("read", path))?)?;
    open_nonblocking(path, Links::Follow).map_err(Error::io("read", path))
}

pub(super) fn require(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    match metadata.is_file() {
        true => owned(path, metadata),
        false => Err(Error::NotAFile {
            path: path.to_owned(),
            is: kind(metadata),
        }),
    }
}

fn owned(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    match permissions::foreign(metadata) {
        None => Ok(()),
        Some(owner) => Err(Error::Foreign {
            path: path.to_owned(),
            owner,
        }),
    }
}

enum Links {
    Refuse,
    Follow,
}

/// Opens a file without blocking. `links` decides whether a symbolic link is followed.
#[cfg(unix)]
fn open_nonblocking(path: &Path, links: Links) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::OFlags;

    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::NOFOLLOW, matches!(links, Links::Refuse));
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    options.open(path)
}

/// Windows keeps pipes in a separate namespace, and its links lead to files and folders only.
#[cfg(not(unix))]
fn open_nonblocking(path: &Path, _links: Links) -> io::Result<File> {
    File::open(path)
}

#[cfg(unix)]
fn kind(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;

    let kind = metadata.file_type();
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else {
        "a device"
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn file_and_link_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        symlink("file", &link).unwrap();
        assert_eq!(read_trusted(&file, 4).unwrap(), None);
        assert_eq!(read_trusted(&link, 4).unwrap(), None);
        fs::write(&file, "four").unwrap();
        for path in [&file, &link] {
            assert_eq!(read_trusted(path, 4).unwrap().unwrap(), b"four");
            let error = read_trusted(path, 3).unwrap_err();
            assert!(matches!(error, Error::TooLarge { .. }), "{error}");
        }
    }

    #[test]
    fn other_file_types_fail_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &pipe, FileType::Fifo, mode, 0).unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = folder.path().join("link");
        symlink("/dev/null", &link).unwrap();
        let behind = folder.path().join("behind");
        symlink("pipe", &behind).unwrap();
        for (path, is) in [
            (&pipe, "a pipe"),
            (&behind, "a pipe"),
            (&socket, "a socket"),
            (&link, "a device"),
            (&folder.path().to_owned(), "a folder"),
        ] {
            let error = read_trusted(path, 4).unwrap_err().to_string();
            assert!(error.ends_with(&format!("is {is}, not a file")), "{error}");
        }
    }
}

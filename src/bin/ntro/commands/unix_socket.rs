//! Unix sockets in the file system.

use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::error::CliError;
use crate::exit::Kind;

/// A Unix socket in the file system, which is removed when this is dropped.
pub(super) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have replaced it, and its folder may be gone already.
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Listens on a Unix socket with these permissions, and replaces one that a killed process has left.
/// Needs the runtime.
pub(super) fn bind(path: PathBuf, mode: u32) -> Result<(UnixListener, SocketFile), CliError> {
    refuse_occupied(&path)?;
    let bound = bind_aside(&path, mode);
    let listener = bound.map_err(|error| failed(&path, &error))?;
    let inode = inode(&path).map_err(|error| failed(&path, &error))?;
    Ok((listener, SocketFile { path, inode }))
}

/// Returns an error if a process listens on the path, or if it is another kind of file.
fn refuse_occupied(path: &Path) -> Result<(), CliError> {
    match std::fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(file) if file.file_type().is_socket() => {}
        Ok(_) => {
            let error = io::Error::other("another file is there");
            return Err(failed(path, &error).hint("choose another path, or move the file away"));
        }
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(failed(path, &error)),
        _ => Err(CliError {
            kind: Kind::Conflict,
            ..failed(path, &ErrorKind::AddrInUse.into())
        }
        .hint("end what listens there, or choose another path")),
    }
}

/// Binds the socket in a private folder and moves it to its path when its permissions are set.
fn bind_aside(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let aside = tempfile::Builder::new().prefix(".").tempdir_in(folder)?;
    let socket = aside.path().join("s");
    let listener = UnixListener::bind(&socket)?;
    std::fs::set_permissions(&socket, Permissions::from_mode(mode))?;
    std::fs::rename(&socket, path)?;
    Ok(listener)
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn failed(path: &Path, error: &io::Error) -> CliError {
    let message = format!("cannot listen on `{}`: {error}", path.display());
    CliError::new(Kind::Failure, message)
}

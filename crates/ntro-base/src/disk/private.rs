use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{Error, FileLock, is_root, owner};

/// Suffix of temporary files.
const TEMPORARY: &str = ".tmp";

/// Creates a folder and its parents with mode 0700; restricts an existing folder to its owner.
pub fn create_private_folder(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let is_new = !path.exists();
    builder
        .create(path)
        .map_err(Error::io("create the folder", path))?;
    if is_new {
        owner::give_folder_to_owner_of(path, folder_of(path)).map_err(Error::io(
            "give the folder to the owner of its parent",
            path,
        ))?;
    }
    tighten(path, 0o700)
}

/// Returns an error if `path`, or a folder on the way to it, is a symbolic link to nothing.
///
/// A missing file is no error.
pub fn refuse_dangling_link(path: &Path) -> Result<(), Error> {
    for part in path.ancestors() {
        match fs::symlink_metadata(part) {
            // A folder above may be the link.
            Err(_) => {}
            Ok(metadata) if metadata.is_symlink() && !part.exists() => {
                return Err(Error::DanglingLink {
                    path: part.to_owned(),
                    target: resolve_links(part)?,
                });
            }
            Ok(_) => break,
        }
    }
    Ok(())
}

/// Reads a whole file of at most `limit` bytes; `None` when it does not exist.
///
/// # Errors
///
/// Fails when it cannot be read, and when a symbolic link on the way to it leads nowhere: what it
/// should lead to may only be missing for now, such as a disk that is not mounted.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            refuse_dangling_link(path)?;
            return Ok(None);
        }
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    read_open(file, &metadata, path, limit).map(Some)
}

/// Reads a whole open file of at most `limit` bytes.
pub(super) fn read_open(
    file: File,
    metadata: &Metadata,
    path: &Path,
    limit: u64,
) -> Result<Vec<u8>, Error> {
    // One allocation: the content may hold keys, and a growing buffer leaves copies behind.
    let length = usize::try_from(metadata.len().min(limit)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(length + 1);
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

/// Replaces a whole file, with mode 0600, so that a kill leaves the old or the new one.
///
/// A symbolic link is kept and its target replaced. The lock parameter proves that the caller holds
/// the lock. Root leaves the file to the owner of the old one, or else of the folder.
///
/// # Errors
///
/// Fails when the temporary file cannot be written or renamed; the old file is then unchanged and
/// the temporary one removed. Also fails when the folder cannot be synced after the rename: the new
/// file is then in place, but the old one may come back after a power cut.
pub fn replace(path: &Path, bytes: &[u8], _lock: &FileLock) -> Result<(), Error> {
    let target = resolve_links(path)?;
    let temporary = temporary(&target);
    let written = write_synced(&temporary, &target, bytes)
        .and_then(|()| fs::rename(&temporary, &target))
        .and_then(|()| sync_folder(folder_of(&target)));
    written.map_err(|error| {
        // Reports the first error; the temporary file may not even exist.
        let _ = fs::remove_file(&temporary);
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                if target != path =>
            {
                Error::ManagedElsewhere {
                    path: path.to_owned(),
                    target,
                }
            }
            _ => Error::io("write", path)(error),
        }
    })
}

/// Returns the temporary file of `path` that a killed writer left, or that a running writer is
/// using.
#[must_use]
pub fn leftover(path: &Path) -> Option<PathBuf> {
    let temporary = temporary(&resolve_links(path).ok()?);
    temporary.symlink_metadata().is_ok().then_some(temporary)
}

/// Removes the temporary file of `path` that a killed writer left.
///
/// The next [`replace`] removes it as well, and reports a failure.
pub fn remove_leftover(path: &Path, _lock: &FileLock) {
    if let Ok(target) = resolve_links(path) {
        let _ = fs::remove_file(temporary(&target));
    }
}

/// Removes a file; a missing file is a success.
pub fn remove(path: &Path, _lock: &FileLock) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Checks whether files can be created in a folder, or the folder itself where it is missing.
///
/// Only asks the system for permissions and writes nothing, so it does not detect a full disk.
#[cfg(unix)]
pub fn ensure_writable(folder: &Path) -> Result<(), Error> {
    use rustix::fs::{Access, access};

    let nearest = folder.ancestors().find(|path| path.exists());
    let nearest = nearest.unwrap_or_else(|| Path::new("."));
    if !nearest.is_dir() {
        let error = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(Error::io("write to the folder", nearest)(error));
    }
    access(nearest, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|errno| Error::io("write to the folder", nearest)(errno.into()))
}

/// Always succeeds: Windows uses access lists, and only an attempt to write shows whether they
/// allow it.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
pub fn ensure_writable(_folder: &Path) -> Result<(), Error> {
    Ok(())
}

/// Opens a lock file for writing, creating it and its folder if they are missing.
pub(super) fn open_lock(path: &Path) -> Result<File, Error> {
    create_private_folder(folder_of(path))?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let open = || {
        // Root gives away only what it has made itself: another file may be behind a link.
        if is_root()
            && let Ok(file) = options.clone().create_new(true).open(path)
        {
            owner::give_to_owner_of(&file, &[folder_of(path)])?;
            return Ok(file);
        }
        options.open(path)
    };
    open().map_err(Error::io("open the lock", path))
}

fn write_synced(path: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    // A killed writer left it, or an attacker planted it: never write through it.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    owner::give_to_owner_of(&file, &[target, folder_of(target)])?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows cannot sync a folder: the file system journals the rename.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn tighten(path: &Path, mode: u32) -> Result<(), Error> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let metadata = fs::metadata(path).map_err(Error::io("look at", path))?;
    if !metadata.is_dir() {
        let error = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(Error::io("use", path)(error));
    }
    if metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(Error::io("restrict the permissions of", path))
}

/// Does nothing: on Windows the folder is in the user's profile and inherits its access list.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
fn tighten(_path: &Path, _mode: u32) -> Result<(), Error> {
    Ok(())
}

/// Returns the target of a symbolic link, which may not exist yet.
fn resolve_links(path: &Path) -> Result<PathBuf, Error> {
    /// Linux follows as many.
    const DEEPEST: usize = 40;

    let mut target = path.to_owned();
    for _ in 0..DEEPEST {
        match fs::read_link(&target) {
            Ok(link) => target = folder_of(&target).join(link),
            Err(_) => return Ok(target),
        }
    }
    let error = io::Error::other("too many symbolic links");
    Err(Error::io("follow", path)(error))
}

/// Returns the parent folder of a file, or the working folder for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Returns the temporary file for a target that is not a symbolic link.
fn temporary(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(TEMPORARY);
    PathBuf::from(name)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path)
            .expect("it was just made")
            .permissions()
            .mode()
            & 0o777
    }

    #[test]
    fn files_are_private_to_owner() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("a").join(".ntro");
        let lock = FileLock::acquire(&home.join(".lock")).unwrap();
        let file = home.join("config.toml");
        replace(&file, b"one", &lock).unwrap();
        assert_eq!((mode(&home), mode(&file)), (0o700, 0o600));

        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        create_private_folder(&home).unwrap();
        replace(&file, b"two", &lock).unwrap();
        assert_eq!((mode(&home), mode(&file)), (0o700, 0o600));
        assert_eq!(fs::read(&file).unwrap(), b"two");
    }

    #[test]
    fn leftover_temporary_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let file = folder.path().join("config.toml");
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "precious").unwrap();
        symlink(&elsewhere, folder.path().join("config.toml.tmp")).unwrap();
        replace(&file, b"new", &lock).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::read(&elsewhere).unwrap(), b"precious");
        assert!(!folder.path().join("config.toml.tmp").exists());
    }

    #[test]
    fn replace_keeps_symbolic_link() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("dotfiles"));
        symlink("dotfiles", &link).unwrap();
        replace(&link, b"new", &lock).unwrap();
        assert_eq!(read_bounded(&link, 3).unwrap().unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn leftover_behind_symbolic_link_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let link = folder.path().join("config.toml");
        let left = folder.path().join("dotfiles.tmp");
        symlink("dotfiles", &link).unwrap();
        assert_eq!(leftover(&link), None);
        fs::write(&left, "half").unwrap();
        assert_eq!(leftover(&link).as_ref(), Some(&left));
        remove_leftover(&link, &lock);
        assert!(!left.exists());
    }

    #[test]
    fn dangling_link_is_no_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let read = |name: &str| read_bounded(&path(name), 10).map_err(|error| error.to_string());
        symlink("gone/config.toml", path("config.toml")).unwrap();
        symlink("/nonexistent/ntro", path("home")).unwrap();
        symlink(".", path("here")).unwrap();
        for (name, link, target) in [
            ("config.toml", "config.toml", path("gone/config.toml")),
            ("home/config.toml", "home", "/nonexistent/ntro".into()),
            ("home/a/b/c", "home", "/nonexistent/ntro".into()),
        ] {
            let (link, target) = (path(link), target.display());
            let expected = format!(
                "`{}` is a symbolic link to `{target}`, which does not exist",
                link.display()
            );
            assert_eq!(read(name), Err(expected));
        }
        for missing in ["missing", "here/missing", "missing/a", "here/here/a/b"] {
            assert_eq!(read(missing), Ok(None), "{missing}");
        }
    }

    #[test]
    fn folder_instead_of_file_is_error() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let file = folder.path().join("config.toml");
        fs::create_dir(&file).unwrap();
        let error = replace(&file, b"new", &lock).unwrap_err();
        assert!(error.to_string().contains("config.toml"), "{error}");
        assert!(!folder.path().join("config.toml.tmp").exists());
        assert!(read_bounded(&file, 10).is_err());
    }

    #[test]
    fn read_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("large");
        assert_eq!(read_bounded(&file, 3).unwrap(), None);
        fs::write(&file, "four").unwrap();
        assert!(matches!(
            read_bounded(&file, 3),
            Err(Error::TooLarge { .. })
        ));
        assert_eq!(read_bounded(&file, 4).unwrap().unwrap(), b"four");
    }
}

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::{Error, FileLock};

/// A file or folder that others than its owner can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file or folder.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// The bits it should have at most.
    pub expected: u32,
}

/// Restricts a file or folder to its owner, as a finding about it expects.
///
/// # Errors
///
/// Fails when the permissions cannot be changed.
#[cfg(unix)]
pub fn restrict(finding: &Finding, _lock: &FileLock) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;

    let permissions = std::fs::Permissions::from_mode(finding.expected);
    std::fs::set_permissions(&finding.path, permissions)
        .map_err(Error::io("restrict the permissions of", &finding.path))
}

/// On Windows there are no findings.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
pub fn restrict(_finding: &Finding, _lock: &FileLock) -> Result<(), Error> {
    Ok(())
}

/// Returns the number of the user who owns `path`, where that is neither the one who runs this nor
/// the one who administers the machine.
#[must_use]
pub fn foreign_owner(path: &Path) -> Option<u32> {
    foreign(&std::fs::metadata(path).ok()?)
}

/// The number of the owner, where that is neither this user nor the administrator.
#[cfg(unix)]
pub(super) fn foreign(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    let owner = metadata.uid();
    let own = rustix::process::geteuid().as_raw();
    (owner != own && owner != 0).then_some(owner)
}

/// On Windows the profile's folders belong to their user.
#[cfg(not(unix))]
pub(super) fn foreign(_metadata: &Metadata) -> Option<u32> {
    None
}

/// Returns a finding when others than the owner can read or write `path`.
///
/// A path that is not there, or cannot be looked at, is no finding of this kind.
#[cfg(unix)]
#[must_use]
pub fn inspect(path: &Path) -> Option<Finding> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = std::fs::metadata(path).ok()?;
    let mode = metadata.mode() & 0o777;
    (mode & 0o077 != 0).then(|| Finding {
        path: path.to_owned(),
        mode,
        expected: if metadata.is_dir() { 0o700 } else { 0o600 },
    })
}

/// Windows keeps access lists, which a profile's folders inherit; there are no bits to look at.
#[cfg(not(unix))]
#[must_use]
pub fn inspect(_path: &Path) -> Option<Finding> {
    None
}

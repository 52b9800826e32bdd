use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::{Error, FileLock};

/// A file or folder that users other than its owner can access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file or folder.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// The most permissive mode it should have.
    pub expected: u32,
    /// Whether it is a symbolic link, whose target may be managed elsewhere.
    pub is_link: bool,
}

impl Finding {
    /// Returns whether the file is read-only for everyone: it was made so on purpose.
    #[must_use]
    pub fn is_readonly(&self) -> bool {
        self.mode & 0o222 == 0
    }
}

/// Restricts a file or folder to its owner, to the mode the finding expects.
#[cfg(unix)]
pub fn restrict(finding: &Finding, _lock: &FileLock) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;

    let permissions = std::fs::Permissions::from_mode(finding.expected);
    std::fs::set_permissions(&finding.path, permissions)
        .map_err(Error::io("restrict the permissions of", &finding.path))
}

/// Does nothing: Windows has no findings.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
pub fn restrict(_finding: &Finding, _lock: &FileLock) -> Result<(), Error> {
    Ok(())
}

/// Returns whether the current user is root.
#[cfg(unix)]
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Always `false`: Windows has no root.
#[cfg(not(unix))]
#[must_use]
pub fn is_root() -> bool {
    false
}

/// Returns the user id of the owner of `path`, unless that is the current user.
#[cfg(unix)]
#[must_use]
pub fn other_owner(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    let owner = std::fs::metadata(path).ok()?.uid();
    (owner != rustix::process::geteuid().as_raw()).then_some(owner)
}

/// Always `None`: on Windows the folders of a profile belong to its user.
#[cfg(not(unix))]
#[must_use]
pub fn other_owner(_path: &Path) -> Option<u32> {
    None
}

/// Returns the user id of the owner of `path`, unless that is the current user or root.
#[must_use]
pub fn foreign_owner(path: &Path) -> Option<u32> {
    foreign(&std::fs::metadata(path).ok()?)
}

/// Returns the user id of the owner, unless that is the current user or root.
#[cfg(unix)]
pub(super) fn foreign(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    let owner = metadata.uid();
    let own = rustix::process::geteuid().as_raw();
    (owner != own && owner != 0).then_some(owner)
}

/// Always `None`: on Windows the folders of a profile belong to its user.
#[cfg(not(unix))]
pub(super) fn foreign(_metadata: &Metadata) -> Option<u32> {
    None
}

/// Returns a finding when users other than the owner can read or write `path`.
///
/// A missing or inaccessible path gives no finding.
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
        is_link: path.is_symlink(),
    })
}

/// Always `None`: Windows uses access lists, which the folders of a profile inherit, and no mode
/// bits.
#[cfg(not(unix))]
#[must_use]
pub fn inspect(_path: &Path) -> Option<Finding> {
    None
}

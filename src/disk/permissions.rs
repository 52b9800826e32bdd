use std::path::{Path, PathBuf};

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

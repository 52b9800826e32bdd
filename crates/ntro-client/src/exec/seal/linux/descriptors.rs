//! Descriptors that the child inherits.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};

use super::kernel;

/// The folders among the descriptors. Through one that was opened outside, a process reaches all
/// files below it as they are outside.
pub(super) struct Folders(Vec<(RawFd, PathBuf)>);

impl Folders {
    /// Looks for them.
    pub(super) fn find() -> io::Result<Self> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc/self/fd")? {
            let link = entry?.path();
            if !fs::metadata(&link).is_ok_and(|metadata| metadata.is_dir()) {
                continue;
            }
            // The descriptor of this very loop is gone afterwards, and so is its target.
            let Ok(target) = fs::read_link(&link) else {
                continue;
            };
            let number = link
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            match number {
                Some(number) if !target.starts_with("/proc/") => found.push((number, target)),
                _ => {}
            }
        }
        Ok(Self(found))
    }

    /// Opens each by its name inside. One that is hidden becomes an empty file.
    pub(super) fn reopen(&self) -> io::Result<()> {
        for (number, path) in &self.0 {
            let folder = OFlags::DIRECTORY | OFlags::CLOEXEC;
            let file = match open(path, folder, Mode::empty()) {
                Ok(file) => file,
                Err(_) => open(Path::new("/dev/null"), OFlags::CLOEXEC, Mode::empty())?,
            };
            kernel::replace_descriptor(*number, file.as_fd())?;
        }
        Ok(())
    }
}

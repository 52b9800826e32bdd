//! Descriptors that the child inherits.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, open, readlinkat, statat};

use super::kernel;

/// The folders among the descriptors. Through one that was opened outside, a process reaches all
/// files below it as they are outside.
pub(super) struct Folders(Vec<(RawFd, PathBuf)>);

impl Folders {
    /// Looks for them.
    pub(super) fn find() -> io::Result<Self> {
        let mut found = Vec::new();
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut listing = Dir::new(open("/proc/self/fd", flags, Mode::empty())?)?;
        while let Some(entry) = listing.next() {
            let name = entry?.file_name().to_owned();
            let number = name.to_str().ok().and_then(|name| name.parse().ok());
            let Some(number) = number else {
                continue;
            };
            let links = listing.fd()?;
            let kind = statat(links, &name, AtFlags::empty());
            if !kind.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()) {
                continue;
            }
            // The descriptor of this very loop is gone afterwards, and so is its target.
            let target = readlinkat(links, &name, Vec::new())?.into_bytes();
            let target = PathBuf::from(OsString::from_vec(target));
            if !target.starts_with("/proc/") {
                found.push((number, target));
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

use std::fs::{self, File};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};

use super::{Grounds, Result, has_canary};
use crate::exec::prove::calls;
use crate::exec::prove::outcome::Failure;

pub(super) fn own(grounds: &Grounds) -> Result {
    has_canary(grounds, File::open(grounds.own_file())?)
}

pub(super) fn key_folders(grounds: &Grounds) -> Result {
    let home = grounds.home()?;
    let files = grounds.files.iter().filter(|file| file.starts_with(home));
    any(grounds, files.map(AsRef::as_ref))
}

pub(super) fn shared_memory(grounds: &Grounds) -> Result {
    let files = grounds.files.iter().filter(|file| file.starts_with("/dev"));
    any(grounds, files.map(AsRef::as_ref))
}

/// Succeeds if one of the files can be read.
fn any<'a>(grounds: &Grounds, files: impl Iterator<Item = &'a Path>) -> Result {
    let mut last = Failure::NotTried("nothing could be planted");
    for file in files {
        let opened = File::open(file).map_err(Failure::from);
        match opened.and_then(|file| has_canary(grounds, file)) {
            Ok(()) => return Ok(()),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

pub(super) fn link(grounds: &Grounds) -> Result {
    let link = std::env::temp_dir().join(&grounds.name);
    std::os::unix::fs::symlink(grounds.own_file(), &link)?;
    let file = File::open(&link);
    fs::remove_file(&link)?;
    has_canary(grounds, file?)
}

pub(super) fn hard_link(grounds: &Grounds) -> Result {
    let home = grounds.home()?;
    let link = home.join(grounds.file_name()).join("link");
    fs::hard_link(grounds.own_file(), &link)?;
    let file = File::open(&link);
    fs::remove_file(&link)?;
    has_canary(grounds, file?)
}

/// Standard input is the folder of `ntro`, opened outside.
pub(super) fn inherited_folder(grounds: &Grounds) -> Result {
    let folder = std::io::stdin();
    let folder: BorrowedFd<'_> = folder.as_fd();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(folder, grounds.file_name(), flags, Mode::empty())?;
    has_canary(grounds, File::from(file))
}

/// A mount follows its folder, but not the name.
pub(super) fn renamed_folder(grounds: &Grounds) -> Result {
    if own(grounds).is_ok() {
        return Ok(());
    }
    let aside = grounds.ntro_home.with_extension(&grounds.name);
    let renamed = fs::rename(&grounds.ntro_home, &aside);
    let file = File::open(aside.join(grounds.file_name()));
    if renamed.is_ok() {
        fs::rename(&aside, &grounds.ntro_home)?;
    }
    renamed?;
    has_canary(grounds, file?)
}

/// Opens the file on its file system, around all that is mounted over it. The number of the file
/// can be guessed.
pub(super) fn by_handle(grounds: &Grounds) -> Result {
    let none = Failure::NotTried("the file system has no handles");
    let handle = grounds.victim.handle.as_ref().ok_or(none)?;
    // Any file of the same file system will do to name it.
    let mut last = Failure::NotTried("nothing could be opened");
    for folder in grounds.ntro_home.ancestors() {
        let opened = File::open(folder).map_err(Failure::from);
        let opened = opened.and_then(|folder| Ok(calls::open_handle(folder.as_fd(), handle)?));
        match opened.and_then(|file| has_canary(grounds, File::from(file))) {
            Ok(()) => return Ok(()),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

/// Opens a disk.
pub(super) fn disk(_grounds: &Grounds) -> Result {
    let mut last = Failure::NotTried("there is no disk");
    for disk in fs::read_dir("/sys/class/block")?.flatten() {
        match File::open(Path::new("/dev").join(disk.file_name())) {
            Ok(file) if file.metadata()?.file_type().is_block_device() => return Ok(()),
            Ok(_) => last = Failure::Refused("the disk is hidden".to_owned()),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

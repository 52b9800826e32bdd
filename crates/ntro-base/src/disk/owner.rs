//! The owner of new files: root leaves them to the owner of what they replace or are put into.
//!
//! With the user's `HOME`, as under `sudo`, root would otherwise lock the user out of files that
//! only their owner can read.

use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(unix)]
pub(super) use unix::{give_file_to_owner_of, give_to_owner_of};

/// Does nothing: Windows has no root.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
pub(super) fn give_file_to_owner_of(_file: &File, _models: &[&Path]) -> io::Result<()> {
    Ok(())
}

/// Does nothing: Windows has no root.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
pub(super) fn give_to_owner_of(_path: &Path, _model: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, Metadata};
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{Gid, Uid};

    use super::{File, Path, io};

    /// Gives a file that root has opened to the owner and group of the first model that exists.
    pub(in crate::disk) fn give_file_to_owner_of(file: &File, models: &[&Path]) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let model = models.iter().find_map(|path| fs::metadata(path).ok());
        match wanted(&file.metadata()?, model) {
            Some((owner, group)) => Ok(rustix::fs::fchown(file, Some(owner), Some(group))?),
            None => Ok(()),
        }
    }

    /// Gives a file or folder that root has made to the owner and group of the model.
    pub(in crate::disk) fn give_to_owner_of(path: &Path, model: &Path) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        match wanted(&fs::metadata(path)?, fs::metadata(model).ok()) {
            Some((owner, group)) => Ok(rustix::fs::chown(path, Some(owner), Some(group))?),
            None => Ok(()),
        }
    }

    fn wanted(now: &Metadata, model: Option<Metadata>) -> Option<(Uid, Gid)> {
        let model = model?;
        let is_other = (now.uid(), now.gid()) != (model.uid(), model.gid());
        is_other.then(|| (Uid::from_raw(model.uid()), Gid::from_raw(model.gid())))
    }
}

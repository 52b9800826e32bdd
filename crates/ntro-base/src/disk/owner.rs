//! The owner of new files: root leaves them to the owner of what they replace or are put into.
//!
//! With the user's `HOME`, as under `sudo`, root would otherwise lock the user out of files that
//! only their owner can read. The user may change the folder at the same time, so root gives away
//! what it has opened, never what a path names.

use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(unix)]
pub(super) use unix::{give_folder_to_owner_of, give_to_owner_of};

/// Does nothing: Windows has no root.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
pub(super) fn give_to_owner_of(_file: &File, _models: &[&Path]) -> io::Result<()> {
    Ok(())
}

/// Does nothing: Windows has no root.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
pub(super) fn give_folder_to_owner_of(_folder: &Path, _model: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, OpenOptions};
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

    use rustix::fs::{Gid, OFlags, Uid};

    use super::{File, Path, io};
    use crate::disk::is_root;

    /// Gives a file that root has made to the owner and group of the first model that exists.
    pub(in crate::disk) fn give_to_owner_of(file: &File, models: &[&Path]) -> io::Result<()> {
        let model = || models.iter().find_map(|path| fs::metadata(path).ok());
        let Some(model) = is_root().then(model).flatten() else {
            return Ok(());
        };
        let now = file.metadata()?;
        if (now.uid(), now.gid()) == (model.uid(), model.gid()) {
            return Ok(());
        }
        let (owner, group) = (Uid::from_raw(model.uid()), Gid::from_raw(model.gid()));
        Ok(rustix::fs::fchown(file, Some(owner), Some(group))?)
    }

    /// Gives a folder that root has made to the owner and group of the model.
    pub(in crate::disk) fn give_folder_to_owner_of(folder: &Path, model: &Path) -> io::Result<()> {
        if !is_root() {
            return Ok(());
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        give_to_owner_of(&options.open(folder)?, &[model])
    }
}

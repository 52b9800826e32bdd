//! The files that the child sees: what is covered, what is read-only, what is new.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, mknodat, open, openat2};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_bind,
    mount_bind_recursive, mount_change, mount_move, mount_remount, move_mount, open_tree,
};

use super::kernel;
use super::mount_table::{MountTable, is_in};

/// A device that is empty to readers and refuses connections.
const NOTHING: &str = "/dev/null";

/// The mount namespace of a process that is being sealed.
pub(super) struct Scene {
    table: MountTable,
    /// An empty read-only folder, once one was needed, and its path below `/proc`.
    veil: Option<(OwnedFd, PathBuf)>,
    /// What is covered, and what is shown again in it (`false`): in this order, without links.
    covered: Vec<(PathBuf, bool)>,
}

/// A copy of a part of the tree, as it was before something covered it.
pub(super) struct Copy {
    tree: OwnedFd,
    is_folder: bool,
}

impl Copy {
    /// Copies a file or folder with all that is mounted in it; `None` if it is missing.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        let Some(metadata) = existing(fs::metadata(path))? else {
            return Ok(None);
        };
        Ok(Some(Self {
            tree: open_tree(CWD, path, flags)?,
            is_folder: metadata.is_dir(),
        }))
    }

    /// Mounts the copy at a path. A copy can be at one path only.
    pub(super) fn attach(self, path: &Path) -> io::Result<()> {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        Ok(move_mount(self.tree.as_fd(), "", CWD, path, flags)?)
    }

    /// Mounts the copy at a path, which is made if it is missing.
    pub(super) fn attach_anew(self, path: &Path) -> io::Result<()> {
        match self.is_folder {
            true => make_folder(path, 0o755)?,
            false => make_file(path)?,
        }
        self.attach(path)
    }
}

impl Scene {
    /// Starts with the mounts as they are. What is mounted outside later appears inside as well,
    /// except below what is covered.
    pub(super) fn new() -> io::Result<Self> {
        mount_change(
            "/",
            MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
        )?;
        Ok(Self {
            table: MountTable::read()?,
            veil: None,
            covered: Vec::new(),
        })
    }

    /// Hides a file or folder, by all its paths. One that is missing, or out of reach for the child
    /// as well, is left.
    pub(super) fn hide(&mut self, path: &Path) -> io::Result<()> {
        match self.cover_aliases(path)? {
            Some(path) => self.cover(&path),
            None => Ok(()),
        }
    }

    /// Hides a file or folder by its other paths. Returns the path without links; `None` for what is
    /// missing.
    fn cover_aliases(&mut self, path: &Path) -> io::Result<Option<PathBuf>> {
        let Some(path) = real(path)? else {
            return Ok(None);
        };
        for alias in self.table.aliases(&path) {
            self.cover(&alias)?;
        }
        Ok(Some(path))
    }

    /// Replaces a folder with an empty one that the child may write to. Returns its path without
    /// links; `None` if it is missing.
    pub(super) fn replace(&mut self, path: &Path, mode: u32) -> io::Result<Option<PathBuf>> {
        let Some(path) = self.cover_aliases(path)? else {
            return Ok(None);
        };
        mount_empty(&path, mode)?;
        self.covered.push((path.clone(), true));
        Ok(Some(path))
    }

    /// Replaces a folder with one that `fill` makes, in which the child sees the files that `fill`
    /// returns. The folder is filled while the old one is still in reach.
    pub(super) fn replace_with(
        &mut self,
        path: &Path,
        mode: u32,
        fill: impl FnOnce(&Path) -> io::Result<Vec<PathBuf>>,
    ) -> io::Result<()> {
        // Any folder can be covered for so long; each process has this one.
        const MEANWHILE: &str = "/proc";

        let Some(path) = self.cover_aliases(path)? else {
            return Ok(());
        };
        let new = Path::new(MEANWHILE);
        mount_empty(new, mode)?;
        let shown = fill(new)?;
        mount_move(new, &path)?;
        self.covered.push((path.clone(), true));
        let shown = shown.into_iter().map(|name| (path.join(name), false));
        self.covered.extend(shown);
        Ok(())
    }

    /// Shows a copy again at its path without links, in a folder that was replaced.
    pub(super) fn show(&mut self, path: PathBuf, copy: Copy) -> io::Result<()> {
        copy.attach_anew(&path)?;
        self.covered.push((path, false));
        Ok(())
    }

    /// Returns whether a path without links is below something covered.
    pub(super) fn covers(&self, path: &Path) -> bool {
        let mut latest = self.covered.iter().rev();
        latest
            .find(|(above, _)| is_in(path, above))
            .is_some_and(|(_, is_covered)| *is_covered)
    }

    /// Hides a file or folder at this path, which has no links.
    pub(super) fn cover(&mut self, path: &Path) -> io::Result<()> {
        if self.covers(path) {
            return Ok(());
        }
        let Some(metadata) = existing(fs::symlink_metadata(path))? else {
            return Ok(());
        };
        if !metadata.is_dir() {
            mount_bind(NOTHING, path)?;
        } else if let Some((_, veil)) = &self.veil {
            mount_bind(veil, path)?;
        } else {
            let flags =
                MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
            mount("tmpfs", path, "tmpfs", flags, Some(c"mode=0555"))?;
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let veil = open(path, flags, Mode::empty())?;
            let link = link_of(&veil);
            self.veil = Some((veil, link));
        }
        self.covered.push((path.to_owned(), true));
        Ok(())
    }

    /// Makes a file or folder read-only, with all that is mounted in it. A link is followed.
    pub(super) fn make_read_only(&self, path: &Path) -> io::Result<()> {
        let Some(path) = real(path)? else {
            return Ok(());
        };
        if self.table.of(&path).is_none_or(|mount| mount.point != path) {
            pin(&path, true)?;
        }
        if kernel::make_read_only(&path).is_ok() {
            return Ok(());
        }
        self.remount_read_only(&path)?;
        for point in self.mounts(&path) {
            existing(self.remount_read_only(point))?;
        }
        Ok(())
    }

    /// Makes only the top level of a folder read-only, which is a mount already.
    pub(super) fn remount_read_only(&self, path: &Path) -> io::Result<()> {
        let flags = match self.table.of(path) {
            Some(mount) => mount.flags,
            None => MountFlags::empty(),
        };
        let flags = flags | MountFlags::BIND | MountFlags::RDONLY;
        Ok(mount_remount(path, flags, "")?)
    }

    /// Returns the names in a folder without links that are mounts or have mounts in them.
    pub(super) fn names_with_mounts<'a>(&'a self, folder: &'a Path) -> BTreeSet<&'a OsStr> {
        let covered = self.covered.iter().map(|(covered, _)| covered.as_path());
        let mounted = self.table.below(folder).map(|mount| mount.point.as_path());
        let inner = covered.chain(mounted);
        inner
            .filter_map(|path| path.strip_prefix(folder).ok()?.iter().next())
            .collect()
    }

    /// Returns the mounts in a folder, without links.
    pub(super) fn mounts<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a Path> {
        // Opening an automatic mount would mount its file system.
        let mounts = self.table.below(folder).filter(move |mount| {
            mount.point != folder && mount.kind != "autofs" && !self.covers(&mount.point)
        });
        mounts.map(|mount| mount.point.as_path())
    }

    /// Returns the other paths of a folder.
    pub(super) fn aliases(&self, path: &Path) -> Vec<PathBuf> {
        self.table.aliases(path)
    }
}

/// Mounts a file or folder on itself: its name can then be neither renamed nor removed. The kernel
/// takes longer `with_mounts`, which are the mounts in it.
pub(super) fn pin(path: &Path, with_mounts: bool) -> io::Result<()> {
    let mount = match with_mounts {
        true => mount_bind_recursive(path, path),
        false => mount_bind(path, path),
    };
    Ok(mount?)
}

/// Makes a folder with this mode, and those above it.
pub(super) fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
}

/// Mounts an empty folder that the child may write to.
fn mount_empty(path: &Path, mode: u32) -> io::Result<()> {
    let options = format!("mode={mode:o}\0");
    let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes());
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount("tmpfs", path, "tmpfs", flags, options.ok())?)
}

/// Makes a file or folder at a path, and mounts another there with all that is mounted in it.
pub(super) fn copy(from: &Path, path: &Path, is_folder: bool) -> io::Result<()> {
    match is_folder {
        true => make_folder(path, 0o755)?,
        false => make_file(path)?,
    }
    Ok(mount_bind_recursive(from, path)?)
}

/// Makes an empty file, and the folders above it.
fn make_file(path: &Path) -> io::Result<()> {
    let make = || mknodat(CWD, path, FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0);
    match (make(), path.parent()) {
        (Err(Errno::NOENT), Some(parent)) => {
            make_folder(parent, 0o755)?;
            Ok(make()?)
        }
        (Err(Errno::EXIST), _) => Ok(()),
        (made, _) => Ok(made?),
    }
}

/// Returns `None` for what is missing. Only what its owner can reach can be reached by the child.
pub(super) fn existing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Returns the path without links; `None` for what is missing.
pub(super) fn real(path: &Path) -> io::Result<Option<PathBuf>> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    // Most paths have no link in them.
    let linkless = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    match linkless {
        Ok(_) if is_plain(path) => return Ok(Some(path.to_owned())),
        Err(Errno::NOENT) => return Ok(None),
        _ => {}
    }
    let Some(file) = existing(open(path, flags, Mode::empty()).map_err(Into::into))? else {
        return Ok(None);
    };
    // Two calls, where looking at each folder on the way takes one for each.
    fs::read_link(link_of(&file)).map(Some)
}

/// Returns whether a path has one spelling: it is absolute, without `.`, `..` and needless slashes.
fn is_plain(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..");
    bytes
        .strip_prefix(b"/")
        .is_some_and(|names| names.split(|byte| *byte == b'/').all(is_name))
}

/// Returns the link to a file of this process.
fn link_of(file: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Returns whether a path is a socket.
pub(super) fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

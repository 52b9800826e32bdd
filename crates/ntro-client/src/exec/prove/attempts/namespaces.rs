use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{
    MountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind, mount_move, open_tree, unmount,
};
use rustix::process::{PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces};

use super::files::own;
use super::{Grounds, Result, has_canary};
use crate::exec::seal::{NamespaceUser, unshare};

/// Reads the canary, which is not covered without the seal, and after `uncover` if it is covered:
/// unsealed root must not unmount the home of the user.
fn read_after(grounds: &Grounds, uncover: impl FnOnce() -> Result) -> Result {
    if own(grounds).is_ok() {
        return Ok(());
    }
    uncover()?;
    own(grounds)
}

fn unmount_all(grounds: &Grounds) {
    let paths = [Some(&grounds.ntro_home), grounds.home.as_ref()];
    for path in paths.into_iter().flatten() {
        while unmount(path, UnmountFlags::DETACH).is_ok() {}
    }
}

pub(super) fn unmounted(grounds: &Grounds) -> Result {
    read_after(grounds, || {
        unmount_all(grounds);
        Ok(())
    })
}

pub(super) fn unmounted_nested(grounds: &Grounds) -> Result {
    read_after(grounds, || {
        enter_nested()?;
        unmount_all(grounds);
        Ok(())
    })
}

/// Copies the file system without the mounts in it.
pub(super) fn copied(grounds: &Grounds) -> Result {
    let file = grounds.own_file();
    read_after(grounds, || {
        let stage = stage()?;
        for ancestor in grounds.ntro_home.ancestors().skip(1) {
            let inner = file.strip_prefix(ancestor).unwrap_or(&file);
            let file = open_tree(CWD, ancestor, OpenTreeFlags::OPEN_TREE_CLONE)
                .and_then(|tree| openat(&tree, inner, OFlags::RDONLY, Mode::empty()));
            if let Ok(file) = file {
                return has_canary(grounds, File::from(file));
            }
            if mount_bind(ancestor, &stage).is_ok() {
                if let Ok(file) = File::open(stage.join(inner)) {
                    return has_canary(grounds, file);
                }
                unmount(&stage, UnmountFlags::DETACH)?;
            }
        }
        Ok(())
    })
}

pub(super) fn moved(grounds: &Grounds) -> Result {
    read_after(grounds, || {
        let _ = mount_move(&grounds.ntro_home, &stage()?);
        Ok(())
    })
}

/// Joins the namespaces of the other process, in which nothing is covered.
pub(super) fn joined(grounds: &Grounds) -> Result {
    read_after(grounds, || {
        let process = pidfd_open(grounds.victim.process()?, PidfdFlags::empty())?;
        let (user, mounts) = (ThreadNameSpaceType::USER, ThreadNameSpaceType::MOUNT);
        let join = |spaces| move_into_thread_name_spaces(process.as_fd(), spaces);
        Ok(join(user | mounts).or_else(|_| join(mounts))?)
    })
}

/// Enters a nested namespace, and makes a folder there to mount on.
fn stage() -> io::Result<PathBuf> {
    enter_nested()?;
    mount("tmpfs", "/proc", "tmpfs", MountFlags::empty(), None)?;
    let stage = Path::new("/proc/stage");
    fs::create_dir(stage)?;
    Ok(stage.to_owned())
}

/// The first capability of an attacker is over namespaces of its own.
pub(super) fn enter_nested() -> io::Result<()> {
    let user = NamespaceUser::current();
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
    user.map()
}

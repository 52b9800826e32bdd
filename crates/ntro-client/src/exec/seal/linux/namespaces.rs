//! The namespaces of a sealed process.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use rustix::process::{DumpableBehavior, Gid, Uid, getegid, geteuid, set_dumpable_behavior};
use rustix::thread::UnshareFlags;

use super::kernel;

/// A bit that no kernel accepts: a call with it fails before it does anything.
const INVALID: UnshareFlags = UnshareFlags::from_bits_retain(1);

/// Returns why this process cannot make a user namespace, as far as that shows without trying.
pub(super) fn obstacle() -> Option<&'static str> {
    let setting = |path| fs::read_to_string(path).unwrap_or_default();
    // A system call filter refuses the call before the kernel looks at its flags.
    match kernel::unshare(UnshareFlags::NEWUSER | INVALID) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
        _ => return Some("a system call filter refuses namespaces"),
    }
    if !Path::new("/proc/self/ns/user").exists() {
        return Some("the kernel has no user namespaces");
    }
    if setting("/proc/sys/user/max_user_namespaces").trim() == "0" {
        return Some("`user.max_user_namespaces` is 0");
    }
    if geteuid().is_root() {
        return None;
    }
    if setting("/proc/sys/kernel/unprivileged_userns_clone").trim() == "0" {
        return Some("`kernel.unprivileged_userns_clone` is 0");
    }
    // A separate profile may allow the program what the setting refuses to all others.
    let unconfined = || setting("/proc/self/attr/current").starts_with("unconfined");
    if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").trim() == "1"
        && unconfined()
    {
        return Some("AppArmor refuses user namespaces");
    }
    None
}

/// Moves the process into new user, mount and IPC namespaces, and with `net` into an empty network
/// namespace. Where this fails, nothing has changed.
pub(super) fn enter(net: bool) -> io::Result<()> {
    let mut flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWIPC;
    if net {
        flags |= UnshareFlags::NEWNET;
    }
    kernel::unshare(flags)
}

/// The user and the group of a process. In a new namespace, they cannot be read before a map is
/// written.
pub(in crate::exec) struct User {
    user: Uid,
    group: Gid,
}

impl User {
    pub(in crate::exec) fn current() -> Self {
        Self {
            user: geteuid(),
            group: getegid(),
        }
    }

    /// Maps the user and the group to themselves and no other.
    pub(in crate::exec) fn map(&self) -> io::Result<()> {
        // The files in `/proc/self` of a process that is not dumpable belong to root.
        set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        let line = |number: u32| format!("{number} {number} 1");
        // Without this, a user could leave groups that deny access; the kernel demands it first.
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/gid_map", &line(self.group.as_raw()))?;
        write("/proc/self/uid_map", &line(self.user.as_raw()))
    }

    /// Locks the mounts that were made so far.
    ///
    /// Other users have no capability after the next `exec`, so this is needed for root alone: root
    /// of a user namespace may undo the mounts of its mount namespaces. In a user namespace below, it
    /// may change mounts in a mount namespace made there only, whose copies of these are locked.
    pub(super) fn lock_mounts(&self) -> io::Result<()> {
        if !self.user.is_root() {
            return Ok(());
        }
        kernel::unshare(UnshareFlags::NEWUSER)?;
        self.map()
    }
}

fn write(path: &str, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(text.as_bytes())
}

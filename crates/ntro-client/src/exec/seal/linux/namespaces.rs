//! The namespaces of a sealed process.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::process::{DumpableBehavior, Gid, Uid, getegid, geteuid, set_dumpable_behavior};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::{kernel, loopback};

/// A bit that no kernel accepts: a call with it fails before it does anything.
const INVALID: UnshareFlags = UnshareFlags::from_bits_retain(1);

/// Longer than the kernel takes to remove a thread that has ended.
const LINGER: Duration = Duration::from_secs(1);

/// Ample for a few system calls, and faster to remove than the usual one.
const STACK: usize = 1 << 16;

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

/// An empty network namespace, which another thread makes: the kernel takes as long for it as for
/// half of the mounts.
pub(super) struct Network(JoinHandle<io::Result<(OwnedFd, TcpListener)>>);

impl Network {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        // The path is covered for a moment.
        let processes = open("/proc", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let make = move || {
            kernel::unshare(UnshareFlags::NEWNET)?;
            let listener = loopback::listen()?;
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let namespace = openat(processes, "thread-self/ns/net", flags, Mode::empty())?;
            Ok((namespace, listener))
        };
        let thread = thread::Builder::new().stack_size(STACK);
        thread.spawn(make).map(Self)
    }

    /// Moves the process into the namespace, and returns its only listener. The thread has ended.
    pub(super) fn enter(self) -> io::Result<TcpListener> {
        let made = self.0.join();
        let (namespace, listener) = made.map_err(|_| io::Error::other("the thread panicked"))??;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(listener)
    }
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

    /// Moves the process into new mount and IPC namespaces, and into a user namespace that has
    /// rights over them, unless the process has those already. Where this fails, nothing has changed.
    pub(super) fn enter(&self) -> io::Result<()> {
        let namespaces = UnshareFlags::NEWNS | UnshareFlags::NEWIPC;
        if self.user.is_root() && kernel::unshare(namespaces).is_ok() {
            return Ok(());
        }
        kernel::unshare(UnshareFlags::NEWUSER | namespaces)?;
        self.map()
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
    /// may undo the mounts of the mount namespaces of its user namespace. In a user namespace below,
    /// it may change mounts in a mount namespace made there only, whose copies of these are locked.
    pub(super) fn lock_mounts(&self) -> io::Result<()> {
        if !self.user.is_root() {
            return Ok(());
        }
        // A thread that was joined counts until the kernel has removed it.
        let start = Instant::now();
        while let Err(error) = kernel::unshare(UnshareFlags::NEWUSER) {
            let is_early = error.kind() == io::ErrorKind::InvalidInput && start.elapsed() < LINGER;
            if !is_early {
                return Err(error);
            }
            thread::yield_now();
        }
        self.map()
    }
}

fn write(path: &str, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(text.as_bytes())
}

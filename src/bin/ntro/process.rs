//! Hardens the process before it holds any secret.
//!
//! Makes three system calls at the start of `main`:
//!
//! * Not dumpable: other processes of the same user can neither read its memory and environment nor
//!   attach a debugger to it, and it leaves no core dump, not even for a crash handler. Programs
//!   that it starts are dumpable again.
//! * No core file, for it and its child processes. A program that replaces it, or that it runs on
//!   behalf of the user, gets the user's limit back.
//! * A umask that limits new files to the user, whatever mode they are created with.
//!
//! The first exists only on Linux. On macOS the hardened runtime, which is part of the packaging,
//! prevents debuggers from attaching. Windows protects a process by the access list of its user,
//! and files by that of their folder.

#[cfg(unix)]
pub(crate) use unix::{
    forbid_cores, harden, raise_descriptor_limit, with_users_limits, with_users_umask,
};

/// Does nothing on this system.
#[cfg(not(unix))]
pub(crate) fn harden() {}

/// Does nothing on this system.
#[cfg(not(unix))]
pub(crate) fn forbid_cores() {}

/// Calls `act`: this system has no such limits.
#[cfg(not(unix))]
pub(crate) fn with_users_limits<T>(act: impl FnOnce() -> T) -> T {
    act()
}

/// Does nothing on this system.
#[cfg(not(unix))]
pub(crate) fn raise_descriptor_limit() -> Option<u64> {
    None
}

/// Calls `act`: this system has no umask.
#[cfg(not(unix))]
pub(crate) fn with_users_umask<T>(act: impl FnOnce() -> T) -> T {
    act()
}

#[cfg(unix)]
mod unix {
    use std::sync::OnceLock;

    use rustix::fs::Mode;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

    /// The user's umask.
    static USERS: OnceLock<Mode> = OnceLock::new();
    /// The user's limit of core files.
    static CORES: OnceLock<Rlimit> = OnceLock::new();

    /// Hardens the process. Must be called first.
    pub(crate) fn harden() {
        // None of these can fail on a system that supports them: they only drop rights.
        #[cfg(target_os = "linux")]
        let _ =
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        let users = CORES.get_or_init(|| getrlimit(Resource::Core));
        limit_cores(users.maximum);
        let users = umask(Mode::RWXG | Mode::RWXO);
        let _ = USERS.set(users);
    }

    /// Sets the limit of core files to 0; `maximum` is how far it can be raised again.
    fn limit_cores(maximum: Option<u64>) {
        let limit = Rlimit {
            current: Some(0),
            maximum,
        };
        let _ = setrlimit(Resource::Core, limit);
    }

    /// Forbids core files for good: the limit cannot be raised again.
    pub(crate) fn forbid_cores() {
        limit_cores(Some(0));
    }

    /// Calls `act` under the user's umask and limit of core files: for a program that the user
    /// runs. Not after [`forbid_cores`].
    pub(crate) fn with_users_limits<T>(act: impl FnOnce() -> T) -> T {
        let Some(users) = CORES.get() else {
            return act();
        };
        let _ = setrlimit(Resource::Core, *users);
        let done = with_users_umask(act);
        limit_cores(users.maximum);
        done
    }

    /// Allows as many open files as the system permits, for a server of many connections. Returns
    /// their number, if there is a limit.
    pub(crate) fn raise_descriptor_limit() -> Option<u64> {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        // The lower limit serves fewer connections.
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        }
    }

    /// Calls `act` under the user's umask: for programs whose files belong to the user, and for
    /// files that the user asked for. Helpers of the `command` store are not started this way:
    /// their files may hold a key and must stay private.
    ///
    /// The umask applies to the whole process. The private files of `ntro` do not depend on it,
    /// since they are created with their mode.
    pub(crate) fn with_users_umask<T>(act: impl FnOnce() -> T) -> T {
        let Some(users) = USERS.get() else {
            return act();
        };
        let ours = umask(*users);
        let done = act();
        umask(ours);
        done
    }
}

//! Hardens the process before it holds any secret.
//!
//! Makes three system calls at the start of `main`:
//!
//! * Not dumpable: other processes of the same user can neither read its memory and environment nor
//!   attach a debugger to it, and it leaves no core dump, not even for a crash handler. Programs
//!   that it starts are dumpable again.
//! * No core file, for it and its child processes.
//! * A umask that limits new files to the user, whatever mode they are created with.
//!
//! The first exists only on Linux. On macOS the hardened runtime, which is part of the packaging,
//! prevents debuggers from attaching. Windows protects a process by the access list of its user,
//! and files by that of their folder.

#[cfg(unix)]
pub(crate) use unix::{harden, with_users_umask};

/// Does nothing on this system.
#[cfg(not(unix))]
pub(crate) fn harden() {}

/// Calls `act`: this system has no umask.
#[cfg(not(unix))]
pub(crate) fn with_users_umask<T>(act: impl FnOnce() -> T) -> T {
    act()
}

#[cfg(unix)]
mod unix {
    use std::sync::OnceLock;

    use rustix::fs::Mode;
    use rustix::process::{Resource, Rlimit, setrlimit, umask};

    /// The user's umask.
    static USERS: OnceLock<Mode> = OnceLock::new();

    /// Hardens the process. Must be called first.
    pub(crate) fn harden() {
        // None of these can fail on a system that supports them: they only drop rights.
        #[cfg(target_os = "linux")]
        let _ =
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
        let users = umask(Mode::RWXG | Mode::RWXO);
        let _ = USERS.set(users);
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

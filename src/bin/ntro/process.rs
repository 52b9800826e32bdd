//! What the process keeps from others, before it holds anything worth keeping.
//!
//! Three system calls, first of all in `main`:
//!
//! * Not dumpable: other processes of the same user can neither read its memory and environment
//!   nor attach a debugger to it, and it leaves no core, not even to a program that collects them.
//!   Programs that it starts are dumpable again.
//! * No core file, for it and for what it starts.
//! * What it makes belongs to the user alone, whatever mode it was made with.
//!
//! Only Linux knows the first. On macOS a program that is signed with the hardened runtime cannot
//! be attached to, which is a matter of its packaging; Windows guards a process by the access list
//! of its user, and files by that of their folder.

#[cfg(unix)]
pub(crate) use unix::{harden, with_users_umask};

/// There is nothing to be set.
#[cfg(not(unix))]
pub(crate) fn harden() {}

/// There is no umask.
#[cfg(not(unix))]
pub(crate) fn with_users_umask<T>(act: impl FnOnce() -> T) -> T {
    act()
}

#[cfg(unix)]
mod unix {
    use std::sync::OnceLock;

    use rustix::fs::Mode;
    use rustix::process::{Resource, Rlimit, setrlimit, umask};

    /// The umask that the user has set.
    static USERS: OnceLock<Mode> = OnceLock::new();

    /// Shuts the process off. To be called before anything else.
    pub(crate) fn harden() {
        // None of these can fail on a system that knows them: they only give something up.
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

    /// Does something under the user's own umask: starts a program whose files are the user's own
    /// matter, or makes files that the user has asked for. The helpers of the `command` store are
    /// not started so: what they make may hold a key, and is the user's alone.
    ///
    /// The umask is the whole process's. The private files of `ntro` do not count on it, they
    /// are made with their mode.
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

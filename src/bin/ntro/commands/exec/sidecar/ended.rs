//! Waits for the end of a process that is not a child of this one.

use std::io;

use rustix::process::Pid;

/// The end of a process.
#[cfg(target_os = "linux")]
pub(super) struct Ended(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Ended {
    /// Takes a process that exists: its number cannot become another's.
    pub(super) fn of(process: Pid) -> io::Result<Self> {
        let flags = rustix::process::PidfdFlags::empty();
        Ok(Self(rustix::process::pidfd_open(process, flags)?))
    }

    /// Returns when the process has ended.
    pub(super) fn wait(self) {
        use rustix::event::{PollFd, PollFlags, poll};

        let mut sources = [PollFd::new(&self.0, PollFlags::IN)];
        while let Err(rustix::io::Errno::INTR) = poll(&mut sources, None) {}
    }
}

/// The end of a process.
#[cfg(not(target_os = "linux"))]
pub(super) struct Ended(Pid);

#[cfg(not(target_os = "linux"))]
impl Ended {
    /// Takes a process that exists.
    pub(super) fn of(process: Pid) -> io::Result<Self> {
        rustix::process::test_kill_process(process)?;
        Ok(Self(process))
    }

    /// Returns when no process has the number any more.
    pub(super) fn wait(self) {
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

        while rustix::process::test_kill_process(self.0).is_ok() {
            std::thread::sleep(PAUSE);
        }
    }
}

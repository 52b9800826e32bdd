use rustix::process::{PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use super::{Grounds, Result};

/// A signal that a process ignores unless it asks for it.
const HARMLESS: Signal = Signal::WINCH;

pub(super) fn kill(grounds: &Grounds) -> Result {
    Ok(kill_process(grounds.victim.process()?, HARMLESS)?)
}

pub(super) fn pidfd(grounds: &Grounds) -> Result {
    let process = pidfd_open(grounds.victim.process()?, PidfdFlags::empty())?;
    Ok(pidfd_send_signal(process, HARMLESS)?)
}

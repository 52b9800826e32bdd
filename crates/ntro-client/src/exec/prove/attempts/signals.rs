use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use super::{Grounds, Result};
use crate::exec::prove::outcome::Failure;

/// A signal that a process ignores unless it asks for it.
const HARMLESS: Signal = Signal::WINCH;

fn victim(grounds: &Grounds) -> std::result::Result<Pid, Failure> {
    Pid::from_raw(grounds.victim.pid).ok_or(Failure::NotTried("no victim"))
}

pub(super) fn kill(grounds: &Grounds) -> Result {
    Ok(kill_process(victim(grounds)?, HARMLESS)?)
}

pub(super) fn pidfd(grounds: &Grounds) -> Result {
    let process = pidfd_open(victim(grounds)?, PidfdFlags::empty())?;
    Ok(pidfd_send_signal(process, HARMLESS)?)
}

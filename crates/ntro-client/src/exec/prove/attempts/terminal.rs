use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::process::setsid;

use super::{Grounds, Result, is_canary};
use crate::exec::prove::calls;
use crate::exec::prove::outcome::Failure;
use crate::exec::prove::victim::new_terminal;

pub(super) fn typed(_grounds: &Grounds) -> Result {
    type_into_own_terminal(0)
}

pub(super) fn typed_with_upper_bits(_grounds: &Grounds) -> Result {
    type_into_own_terminal(1)
}

/// Types a line into the terminal that controls this process, and reads it as the shell would.
fn type_into_own_terminal(upper: u64) -> Result {
    setsid()?;
    let (master, path) = new_terminal()?;
    // Closing this end would hang up, which ends the process.
    std::mem::forget(master);
    // The first terminal that a session without one opens controls it.
    let mut terminal = OpenOptions::new().read(true).write(true).open(path)?;
    for character in *b"x\n" {
        calls::type_character(terminal.as_fd(), character, upper)?;
    }
    wait(&terminal)?;
    let mut line = [0; 2];
    terminal.read_exact(&mut line)?;
    Ok(())
}

pub(super) fn console(_grounds: &Grounds) -> Result {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let console = options
        .custom_flags(OFlags::NOCTTY.bits() as i32)
        .open("/dev/tty0")?;
    Ok(calls::ask_console(console.as_fd())?)
}

/// Reads what is typed into another terminal of the user.
pub(super) fn another(grounds: &Grounds) -> Result {
    let path = grounds.victim.terminal.as_ref();
    let path = path.ok_or(Failure::NotTried("there is no terminal"))?;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(OFlags::NOCTTY.bits() as i32);
    let mut terminal = options.open(path)?;
    wait(&terminal)?;
    let mut line = [0; 256];
    let length = terminal.read(&mut line)?;
    is_canary(grounds, &line[..length])
}

fn wait(terminal: &File) -> Result {
    let timeout = Timespec::try_from(Duration::from_secs(1)).ok();
    let mut wanted = [PollFd::new(terminal, PollFlags::IN)];
    match poll(&mut wanted, timeout.as_ref())? {
        0 => Err(Failure::Refused("nothing was typed".to_owned())),
        _ => Ok(()),
    }
}

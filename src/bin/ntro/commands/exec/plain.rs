use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::exit::Exit;
use crate::process::with_users_limits;

/// Replaces this process by the program; returns only if that fails.
///
/// The kernel ends the other threads, closes the descriptors of `ntro` and resets its signal
/// handlers.
pub(super) fn run(mut command: Command) -> io::Result<Exit> {
    Err(with_users_limits(|| command.exec()))
}

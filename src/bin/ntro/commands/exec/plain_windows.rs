use std::io;
use std::process::Command;

use crate::exit::Exit;

/// Runs the program to its end: on this system, no program replaces another.
pub(super) fn run(mut command: Command) -> io::Result<Exit> {
    let status = command.status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(Exit::Program(code.unwrap_or(1)))
}

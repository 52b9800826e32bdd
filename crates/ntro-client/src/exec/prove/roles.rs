use std::ffi::OsString;
use std::io;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::attempts::named_attempts;
use super::grounds::Grounds;
use super::line::print_line;
use super::outcome::Attempt;
use super::victim;

/// The first argument of each process of a battery.
pub(super) const MARK: &str = "--seal-battery";
pub(super) const VICTIM: &str = "victim";
pub(super) const ATTEMPT_ALL: &str = "attempt-all";
const ATTEMPT: &str = "attempt";

/// An attempt that takes longer is ended.
const LIMIT: Duration = Duration::from_secs(10);

/// Plays the part of a battery that the arguments ask for; `None` for other arguments. They begin
/// with the name of the program.
pub fn role(arguments: &[OsString]) -> Option<ExitCode> {
    let [program, mark, part, rest @ ..] = arguments else {
        return None;
    };
    if mark != MARK {
        return None;
    }
    let rest: Vec<_> = rest.iter().map(|word| word.to_string_lossy()).collect();
    let rest: Vec<_> = rest.iter().map(AsRef::as_ref).collect();
    let done = match (part.to_str(), rest.as_slice()) {
        (Some(VICTIM), [name]) => victim::run(name),
        (Some(ATTEMPT_ALL), [grounds]) => attempt_all(program, grounds),
        (Some(ATTEMPT), [grounds, name]) => attempt(grounds, name),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// Makes each attempt in a separate process, and prints each outcome as a line of JSON.
fn attempt_all(program: &OsString, grounds: &str) -> io::Result<()> {
    let parsed: Grounds = serde_json::from_str(grounds)?;
    for (name, _) in named_attempts(&parsed) {
        let attempt = Command::new(program)
            .args([MARK, ATTEMPT, grounds, name])
            .stdin(Stdio::inherit())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        // One that ended early printed nothing.
        if let Ok(made) = serde_json::from_slice::<Attempt>(&output(attempt)?) {
            print_line(&made)?;
        }
    }
    Ok(())
}

/// Returns what an attempt prints at its end.
fn output(mut attempt: Child) -> io::Result<Vec<u8>> {
    let limit = Timespec::try_from(LIMIT).map_err(io::Error::other)?;
    if let Some(stdout) = &attempt.stdout {
        let mut wanted = [PollFd::new(stdout, PollFlags::IN)];
        if poll(&mut wanted, Some(&limit))? == 0 {
            attempt.kill()?;
        }
    }
    Ok(attempt.wait_with_output()?.stdout)
}

fn attempt(grounds: &str, name: &str) -> io::Result<()> {
    let grounds: Grounds = serde_json::from_str(grounds)?;
    let found = named_attempts(&grounds).find(|(known, _)| *known == name);
    let (_, make) = found.ok_or(io::ErrorKind::NotFound)?;
    match Attempt::new(name, make(&grounds)) {
        Some(made) => print_line(&made),
        None => Err(io::ErrorKind::NotConnected.into()),
    }
}

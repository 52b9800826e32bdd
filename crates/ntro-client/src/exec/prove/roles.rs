use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode, Stdio};

use super::attempts::ATTEMPTS;
use super::grounds::Grounds;
use super::line::print_line;
use super::outcome::Attempt;
use super::victim;

/// The first argument of each process of a battery.
pub(super) const MARK: &str = "--seal-battery";
pub(super) const VICTIM: &str = "victim";
pub(super) const ATTEMPT_ALL: &str = "attempt-all";
const ATTEMPT: &str = "attempt";

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
    for (name, _) in ATTEMPTS {
        let output = Command::new(program)
            .args([MARK, ATTEMPT, grounds, name])
            .stdin(Stdio::inherit())
            .stderr(Stdio::null())
            .output()?;
        // One that ended early printed nothing.
        if let Ok(made) = serde_json::from_slice::<Attempt>(&output.stdout) {
            print_line(&made)?;
        }
    }
    Ok(())
}

fn attempt(grounds: &str, name: &str) -> io::Result<()> {
    let grounds: Grounds = serde_json::from_str(grounds)?;
    let found = ATTEMPTS.iter().find(|(known, _)| *known == name);
    let (_, make) = found.ok_or(io::ErrorKind::NotFound)?;
    print_line(&Attempt::new(name, make(&grounds)))
}

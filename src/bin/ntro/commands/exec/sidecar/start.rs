//! Starts the process beside a program.
//!
//! It is started twice: the first process ends once it has started the second, so that the second is
//! no child of the program that this process becomes. A program that waits for all its children would
//! otherwise wait for a process that waits for it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use ntro_base::env;
use zeroize::Zeroizing;

use super::COMMAND;
use super::message::{self, ChildTerms, Order, ProxyOrder, Ready, Reply};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

/// This program, even if it was replaced or removed since it started.
#[cfg(target_os = "linux")]
pub(super) fn this_program() -> io::Result<std::path::PathBuf> {
    Ok("/proc/self/exe".into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn this_program() -> io::Result<std::path::PathBuf> {
    std::env::current_exe()
}

/// Starts the process beside the program that this process becomes, and waits until the program can
/// start.
pub(in super::super) fn start(
    cx: &Context,
    program: &Command,
    child_key: Option<ChildTerms>,
    proxy: Option<ProxyOrder>,
) -> Result<(UnixStream, Ready), CliError> {
    let order = Order {
        process: std::process::id().cast_signed(),
        program: program.get_program().to_string_lossy().into_owned(),
        secrets: secrets(cx)?,
        child_key,
        proxy,
    };
    let started = spawn(cx).and_then(|mut socket| {
        message::send(&mut socket, &order)?;
        Ok(socket)
    });
    let mut socket = started.map_err(|error| failed(&error))?;
    match message::receive(&mut socket) {
        Ok(Reply::Ready(ready)) => Ok((socket, ready)),
        Ok(Reply::Failed(failure)) => Err(failure.into()),
        Err(error) => Err(failed(&error)),
    }
}

fn spawn(cx: &Context) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(this_program()?);
    command
        .arg0("ntro")
        .args(cx.global().arguments())
        .arg(COMMAND)
        // Questions need the terminal at standard input.
        .stdout(Stdio::from(OwnedFd::from(theirs)));
    for variable in env::SECRETS {
        command.env_remove(variable.name);
    }
    let status = command.status()?;
    match status.success() {
        true => Ok(ours),
        false => Err(io::Error::other(status.to_string())),
    }
}

fn failed(error: &io::Error) -> CliError {
    let message = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the process beside the program has ended".to_owned(),
        _ => format!("the process beside the program cannot be started: {error}"),
    };
    CliError::new(Kind::Failure, message)
}

/// Returns the variables that hold secrets.
fn secrets(cx: &Context) -> Result<Vec<(String, Zeroizing<String>)>, CliError> {
    let mut secrets = Vec::new();
    for variable in env::SECRETS {
        if let Some(value) = cx.env().text(variable)? {
            secrets.push((variable.name.to_owned(), value.to_owned().into()));
        }
    }
    Ok(secrets)
}

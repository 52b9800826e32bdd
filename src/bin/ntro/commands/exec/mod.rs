//! `ntro exec`: runs a program with the variables of a connection.

#[cfg_attr(not(unix), path = "child_windows.rs")]
mod child;
#[cfg_attr(not(unix), path = "keyless_windows.rs")]
pub(crate) mod keyless;
mod mask;
#[cfg_attr(not(unix), path = "plain_windows.rs")]
mod plain;
#[cfg(unix)]
pub(crate) mod sidecar;

use std::ffi::OsString;
use std::io;
use std::process::Command;

use clap_complete::engine::ArgValueCompleter;
use ntro_base::printable;
use ntro_client::exec::{Selection, VariableName, Variables};

use self::child::ChildArgs;
use self::keyless::KeylessArgs;
use super::completions::files;
use super::handover::Handover;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
#[cfg(unix)]
use crate::inherited::Ignored;

/// Run a program with the connection's host, key and tenant in its environment
///
/// The program replaces `ntro`: it has the same process id, terminal and open files, and its exit
/// code is that of the command. Ntropii's clients read `NTRO_HOST`, `NTRO_API_KEY` and
/// `NTRO_TENANT`; Ontora's read `ONTORA_BASE_URL`, `ONTORA_API_KEY` and `ONTORA_WORKSPACE_ID`.
/// Without `--child` and `--keyless`, no call is made: where only the server knows the tenant, none
/// is set.
#[derive(clap::Args, Debug)]
#[command(override_usage = "ntro exec [OPTIONS] [--] <CMD>...")]
pub(crate) struct ExecArgs {
    /// Set only this variable; repeat it, or separate several with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<VariableName>,
    /// Set this variable to the key as well; repeat it, or separate several with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    also: Vec<VariableName>,
    /// Redact the key in standard output and standard error where they are no terminal; `ntro`
    /// stays as the parent process
    #[arg(long)]
    mask: bool,
    #[command(flatten)]
    child: ChildArgs,
    #[command(flatten)]
    keyless: KeylessArgs,
    /// Program to run, with its arguments
    #[arg(
        value_name = "CMD",
        required = true,
        trailing_var_arg = true,
        add = ArgValueCompleter::new(files)
    )]
    command: Vec<OsString>,
}

pub(crate) fn run(args: ExecArgs, cx: &Context) -> Result<Exit, CliError> {
    // Before a question handles signals.
    #[cfg(unix)]
    let ignored = Ignored::record();
    args.keyless.check()?;
    let mut words = args.command.into_iter();
    let program = words.next().unwrap_or_default();
    let selection = Selection {
        only: args.only,
        also: args.also,
    };
    let mut command = Command::new(&program);
    command.args(words);
    let key = match (args.keyless.keyless, args.child.is_given()) {
        (true, _) => {
            keyless::prepare(args.keyless, &args.child, &selection, &mut command, cx)?;
            None
        }
        (false, true) => Some(child::prepare(&args.child, &selection, &mut command, cx)?),
        (false, false) => {
            let Handover { variables, key, .. } = Handover::new(cx, &selection)?;
            set(&mut command, &variables);
            key
        }
    };
    #[cfg(unix)]
    ignored.restore_in(&mut command);
    let done = match key.filter(|_| args.mask) {
        Some(key) => mask::run(command, &key, cx),
        None => plain::run(command),
    };
    done.map_err(|error| cannot_run(&program, &error))
}

/// Sets the variables of a program.
fn set(command: &mut Command, variables: &Variables) {
    command.envs(variables.set());
    for name in variables.removed() {
        command.env_remove(name);
    }
}

/// Returns the error for a program that did not start. The exit codes are those of shells and
/// `env`.
pub(crate) fn cannot_run(program: &OsString, error: &io::Error) -> CliError {
    let name = printable(&program.to_string_lossy(), 200);
    let exists = std::fs::symlink_metadata(program).is_ok();
    let is_path = program.as_encoded_bytes().contains(&b'/');
    let (kind, message, hint) = match error.kind() {
        io::ErrorKind::NotFound if is_path && exists => (
            Kind::ProgramNotFound,
            format!("cannot run `{name}`: its interpreter does not exist"),
            Some("check its first line, or the target of the link"),
        ),
        io::ErrorKind::NotFound if is_path => (
            Kind::ProgramNotFound,
            format!("cannot run `{name}`: there is no such file"),
            None,
        ),
        io::ErrorKind::NotFound => (
            Kind::ProgramNotFound,
            format!("cannot run `{name}`: no folder in `PATH` has it"),
            Some("a built-in of the shell runs as `sh -c '…'`"),
        ),
        io::ErrorKind::PermissionDenied => (
            Kind::NotExecutable,
            format!("cannot run `{name}`: it is a folder, or not executable"),
            None,
        ),
        _ => (
            Kind::NotExecutable,
            format!("cannot run `{name}`: {error}"),
            None,
        ),
    };
    let error = CliError::new(kind, message);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

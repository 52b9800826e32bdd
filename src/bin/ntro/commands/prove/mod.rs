//! `ntro prove`: attacks on the keys from the box of a keyless program.

#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod battery;
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "the counterpart makes the report")
)]
mod report;

use std::ffi::OsString;

use clap_complete::engine::ArgValueCompleter;
use ntro_client::exec::seal::SealLevel;

pub(crate) use self::battery::{Trial, attempts};
pub(crate) use self::report::ProvedAttempts;
use super::completions::files;
use super::seal_levels;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};

/// Attack the keys from the box of a keyless program, and show which attempts succeed
///
/// Plants a random value where keys are kept, and makes each attempt twice: first without a seal,
/// where it must reach the value or counts as not tried, then in the box that `ntro exec --keyless`
/// gives a program. The proxy of this box has a planted key, and its server is on this machine: no
/// other server is called. The key of the connection is tried with `ntro auth token`, and not shown.
/// Exits with 1 if an attempt in the box succeeds. Linux only: other systems have no seal.
///
/// CMD is one more attempt. It runs twice as well, with `NTRO_PROVE_FILE`, the path of a file with
/// the value, and `NTRO_PROVE_PID`, a process that holds it. It succeeds if it prints the value or
/// the planted key.
#[derive(clap::Args, Debug)]
#[command(override_usage = "ntro prove [OPTIONS] [-- <CMD>...]")]
pub(crate) struct ProveArgs {
    /// Seal of the box, as of `ntro exec` [default: `store`, as far as the system can]
    #[arg(long, value_name = "LEVEL", value_parser = seal_levels())]
    seal: Option<SealLevel>,
    /// Program to try, with its arguments
    #[arg(
        value_name = "CMD",
        trailing_var_arg = true,
        add = ArgValueCompleter::new(files)
    )]
    command: Vec<OsString>,
}

/// What came of a trial.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "the counterpart makes them")
)]
pub(crate) enum Proof {
    /// The attempts were made.
    Made(ProvedAttempts),
    /// There is no such box, and this is the exit code of `ntro exec`.
    NoBox(u8),
}

pub(crate) fn run(args: ProveArgs, cx: &Context) -> Result<Exit, CliError> {
    let trial = Trial {
        seal: args.seal,
        command: args.command,
        with_connection: true,
        limit: None,
    };
    let attempts = match attempts(&trial, cx)? {
        Proof::Made(attempts) => attempts,
        // The box has reported the error.
        Proof::NoBox(code) => return Ok(Exit::Program(code)),
    };
    cx.printer().print(&attempts)?;
    Ok(match attempts.counts().succeeded {
        0 => Exit::Success,
        _ => Exit::Failure(Kind::Failure),
    })
}

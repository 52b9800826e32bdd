//! The `ntro` command: parse, run, render the error, exit.

mod admin_token;
mod cli;
mod commands;
mod context;
mod error;
mod exit;
mod interrupt;
mod output;
mod prompt;
#[cfg(feature = "authority")]
#[cfg(test)]
mod reference;
mod stdin;
mod usage;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::context::Context;

fn main() -> ExitCode {
    if commands::completions::answered() {
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<_> = std::env::args_os().collect();
    // Subcommands are made when they are named: the whole tree would take longer than the command.
    let Cli { global, command } = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::report(error, &arguments).into(),
    };
    let cx = Context::new(global);
    match command.run(&cx) {
        Ok(exit) => exit.into(),
        Err(error) => cx.printer().fail(&error).into(),
    }
}

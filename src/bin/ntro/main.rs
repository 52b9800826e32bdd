//! The `ntro` command: parse, run, render the error, exit.

mod admin_token;
mod cli;
mod commands;
mod context;
mod error;
mod exit;
mod help;
mod interrupt;
mod output;
mod process;
mod production;
mod prompt;
#[cfg(feature = "authority")]
#[cfg(test)]
mod reference;
mod runtime;
#[cfg(test)]
mod schema;
mod shell;
mod stdin;
mod suggest;
mod usage;

use std::process::ExitCode;

use crate::cli::Cli;
use crate::context::Context;

fn main() -> ExitCode {
    process::harden();
    if commands::completions::answered() {
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<_> = std::env::args_os().collect();
    let Cli { global, command } = match Cli::read(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::report(error, &arguments).into(),
    };
    let cx = Context::new(global);
    let code = match command.run(&cx) {
        Ok(exit) => exit.into(),
        Err(error) => cx.printer().fail(&cx.with_key_source(error)).into(),
    };
    interrupt::discard_input();
    code
}

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
mod stdin;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::context::Context;

fn main() -> ExitCode {
    if commands::completions::answered() {
        return ExitCode::SUCCESS;
    }
    let Cli { global, command } = Cli::parse();
    let cx = Context::new(global);
    match command.run(&cx) {
        Ok(exit) => exit.into(),
        Err(error) => cx.printer().fail(&error).into(),
    }
}

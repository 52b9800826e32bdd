//! The `ntro` command: parse, run, render the error, exit.

mod admin_token;
mod cli;
mod commands;
mod context;
mod error;
mod exit;
mod help;
#[cfg(unix)]
mod inherited;
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
use crate::exit::Exit;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    // The attempts of `ntro prove`, which must not be hardened.
    #[cfg(target_os = "linux")]
    if let Some(code) = ntro_client::exec::prove::role(&arguments) {
        return code;
    }
    process::harden();
    if commands::completions::answered() {
        return ExitCode::SUCCESS;
    }
    let arguments = commands::helper::called_by_cargo(&arguments).unwrap_or(arguments);
    let Cli { global, command } = match Cli::read(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::report(error, &arguments).into(),
    };
    if !command.runs_program() {
        process::forbid_cores();
    }
    let cx = Context::new(global);
    let code = match command.run(&cx) {
        // The input is the program's, or the shell's after it.
        Ok(Exit::Program(code)) => return code.into(),
        Ok(exit) => exit.into(),
        Err(error) => cx.printer().fail(&cx.explained(error)).into(),
    };
    interrupt::discard_input();
    code
}

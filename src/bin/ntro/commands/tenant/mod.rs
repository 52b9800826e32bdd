//! `ntro tenant`: what the key reaches.

mod info;
mod list;
mod use_;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(crate) enum Command {
    List(list::ListArgs),
    Info(info::InfoArgs),
    Use(use_::UseArgs),
}

impl Command {
    pub(crate) fn run(self, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::List(args) => list::run(args, cx),
            Self::Info(args) => info::run(args, cx),
            Self::Use(args) => use_::run(args, cx),
        }
    }
}

//! `ntro key`: API keys at their server.

mod admin;
mod create;
mod current;
mod list;
mod revoke;
mod row;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(crate) enum Command {
    List(list::ListArgs),
    Create(create::CreateArgs),
    Revoke(revoke::RevokeArgs),
    Current(current::CurrentArgs),
}

impl Command {
    pub(crate) fn run(self, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::List(args) => list::run(args, cx),
            Self::Create(args) => create::run(args, cx),
            Self::Revoke(args) => revoke::run(args, cx),
            Self::Current(args) => current::run(args, cx),
        }
    }
}

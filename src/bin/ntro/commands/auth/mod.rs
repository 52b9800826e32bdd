//! `ntro auth`: log in and out, and see what is stored and used.

mod explain;
mod list;
mod login;
mod logout;
mod migrate;
mod remove;
mod rename;
mod rotate;
mod status;
mod test;
mod token;
mod use_;
mod whoami;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(crate) enum Command {
    Login(login::LoginArgs),
    Whoami(whoami::WhoamiArgs),
    Logout(logout::LogoutArgs),
    List(list::ListArgs),
    Status(status::StatusArgs),
    #[command(visible_alias = "set-default")]
    Use(use_::UseArgs),
    Rename(rename::RenameArgs),
    Remove(remove::RemoveArgs),
    Test(test::TestArgs),
    Token(token::TokenArgs),
    Explain(explain::ExplainArgs),
    Migrate(migrate::MigrateArgs),
    Rotate(rotate::RotateArgs),
}

impl Command {
    pub(crate) fn run(self, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Login(args) => login::run(args, cx),
            Self::Whoami(args) => whoami::run(args, cx),
            Self::Logout(args) => logout::run(args, cx),
            Self::List(args) => list::run(args, cx),
            Self::Status(args) => status::run(args, cx),
            Self::Use(args) => use_::run(args, cx),
            Self::Rename(args) => rename::run(args, cx),
            Self::Remove(args) => remove::run(args, cx),
            Self::Test(args) => test::run(args, cx),
            Self::Token(args) => token::run(args, cx),
            Self::Explain(args) => explain::run(args, cx),
            Self::Migrate(args) => migrate::run(args, cx),
            Self::Rotate(args) => rotate::run(args, cx),
        }
    }
}

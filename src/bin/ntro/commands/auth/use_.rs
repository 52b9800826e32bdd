use clap_complete::engine::ArgValueCompleter;
use ntro::domain::ConnectionName;
use ntro::login;
use serde::Serialize;

use crate::commands::completions::connections;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;

/// Make a connection the default one
#[derive(clap::Args, Debug)]
pub(crate) struct UseArgs {
    /// Connection to use where no other is named
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(connections))]
    name: ConnectionName,
}

#[derive(Debug, Serialize)]
struct Default {
    default_connection_name: String,
}

pub(crate) fn run(args: UseArgs, cx: &Context) -> Result<Exit, CliError> {
    login::set_default(cx.home()?, &args.name)?;
    cx.printer().confirm(&Done {
        text: format!("`{}` is the default connection now", args.name),
        value: Default {
            default_connection_name: args.name.to_string(),
        },
    })?;
    Ok(Exit::Fine)
}

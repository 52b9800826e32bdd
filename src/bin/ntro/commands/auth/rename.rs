use clap_complete::engine::ArgValueCompleter;
use ntro_base::ConnectionName;
use ntro_client::ops;
use serde::Serialize;

use super::migrate;
use crate::commands::completions::connections;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;

/// Rename a connection, keeping its stored key
#[derive(clap::Args, Debug)]
pub(crate) struct RenameArgs {
    /// Current name
    #[arg(value_name = "FROM", add = ArgValueCompleter::new(connections))]
    from: ConnectionName,
    /// New name
    #[arg(value_name = "TO")]
    to: ConnectionName,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RenamedConnection {
    /// Old name.
    from: String,
    /// New name.
    connection: String,
}

pub(crate) fn run(args: RenameArgs, cx: &Context) -> Result<Exit, CliError> {
    let RenameArgs { from, to } = args;
    cx.set_subject(&from);
    migrate::finish(cx, &from)?;
    ops::rename(cx.home()?, &from, &to, cx.stores()?)?;
    cx.printer().confirm(&Done {
        text: format!("`{from}` is now called `{to}`"),
        value: RenamedConnection {
            from: from.to_string(),
            connection: to.to_string(),
        },
    })?;
    Ok(Exit::Success)
}

use clap_complete::engine::ArgValueCompleter;
use ntro::domain::ConnectionName;
use ntro::{login, secrets};
use serde::Serialize;

use super::migrate;
use crate::commands::completions::connections;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;

/// Remove a connection together with its stored key
#[derive(clap::Args, Debug)]
pub(crate) struct RemoveArgs {
    /// Connection to remove
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(connections))]
    name: ConnectionName,
}

#[derive(Debug, Serialize)]
struct Removed {
    name: String,
    had_key: bool,
}

pub(crate) fn run(args: RemoveArgs, cx: &Context) -> Result<Exit, CliError> {
    migrate::finish(cx, &args.name)?;
    let settings = cx.stores()?;
    let forgotten = login::remove(cx.home()?, &args.name, &|kind| {
        secrets::open(kind, settings)
    })?;
    let key = match forgotten.had_key {
        true => format!(", and its key from the {} store", forgotten.store),
        false => String::new(),
    };
    cx.printer().confirm(&Done {
        text: format!("removed the connection `{}`{key}", args.name),
        value: Removed {
            name: args.name.to_string(),
            had_key: forgotten.had_key,
        },
    })?;
    Ok(Exit::Fine)
}

use clap_complete::engine::ArgValueCompleter;
use ntro_base::ConnectionName;
use ntro_client::config::Config;
use ntro_client::ops;
use ntro_client::ops::migrate::KeyLocation;
use serde::Serialize;

use super::{logout, migrate};
use crate::commands::completions::connections;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;

/// Remove a connection and its stored key
#[derive(clap::Args, Debug)]
pub(crate) struct RemoveArgs {
    /// Connection to remove
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(connections))]
    name: ConnectionName,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RemovedConnection {
    /// Name of the connection.
    connection: String,
    /// Whether a stored key was erased with it.
    had_key: bool,
}

pub(crate) fn run(args: RemoveArgs, cx: &Context) -> Result<Exit, CliError> {
    let name = &args.name;
    cx.set_subject(name);
    let config = Config::read(&cx.home()?.config())?;
    let is_there = config.connections.contains_key(name.as_str());
    let left = match is_there {
        true => {
            migrate::finish(cx, name)?;
            None
        }
        false => migrate::forget(cx, name)?,
    };
    let removed = ops::remove(cx.home()?, name, cx.stores()?);
    let mut stores = left.clone().unwrap_or_default();
    match removed {
        Ok(forgotten) if forgotten.had_key => {
            logout::report_live_key(cx, &forgotten);
            stores.push(KeyLocation::Store(forgotten.store));
        }
        Ok(_) => {}
        // Only an unfinished migration was left of the connection.
        Err(ops::Error::UnknownConnection { .. }) if left.is_some() => {}
        Err(error) => return Err(error.into()),
    }
    stores.sort_unstable();
    stores.dedup();
    let what = match is_there {
        true => "the connection",
        false => "what was left of the connection",
    };
    let stores: Vec<_> = stores.iter().map(ToString::to_string).collect();
    let key = match stores.as_slice() {
        [] => String::new(),
        [store] => format!(", and its key from the {store} store"),
        stores => format!(", and its key from the stores {}", stores.join(", ")),
    };
    cx.printer().confirm(&Done {
        text: format!("removed {what} `{name}`{key}"),
        value: RemovedConnection {
            connection: name.to_string(),
            had_key: !stores.is_empty(),
        },
    })?;
    Ok(Exit::Success)
}

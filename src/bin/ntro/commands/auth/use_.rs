use clap_complete::engine::ArgValueCompleter;
use ntro_base::ConnectionName;
use ntro_client::config::Config;
use ntro_client::ops;
use ntro_client::resolve::{Flags, Inputs};
use serde::Serialize;

use crate::commands::completions::connections;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::Done;

/// Set the default connection
#[derive(clap::Args, Debug)]
pub(crate) struct UseArgs {
    /// Connection to use unless another is named [default: picked on the terminal]
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(connections))]
    name: Option<ConnectionName>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct DefaultConnection {
    /// Name of the connection.
    connection: String,
}

pub(crate) fn run(args: UseArgs, cx: &Context) -> Result<Exit, CliError> {
    let name = match args.name {
        Some(name) => name,
        None => picked(cx)?,
    };
    ops::set_default(cx.home()?, &name)?;
    cx.printer().confirm(&Done {
        text: format!("`{name}` is the default connection now"),
        value: DefaultConnection {
            connection: name.to_string(),
        },
    })?;
    warn_of_override(&name, cx)?;
    Ok(Exit::Success)
}

/// Asks for the connection.
fn picked(cx: &Context) -> Result<ConnectionName, CliError> {
    if !cx.prompter().is_interactive() {
        let message = "no connection is named, and there is no terminal to pick one on";
        return Err(
            CliError::usage(message).hint("name one: `ntro auth use NAME`; see `ntro auth list`")
        );
    }
    let names: Vec<ConnectionName> = cx
        .config()?
        .names()
        .filter_map(|name| name.parse().ok())
        .collect();
    if names.is_empty() {
        let message = "there are no connections yet";
        return Err(CliError::new(Kind::UnknownConnection, message).hint("run `ntro auth login`"));
    }
    let active = cx.inputs()?.active().trace?;
    let active = active.winner().and_then(|winner| winner.found.as_deref());
    let default = names.iter().position(|name| Some(name.as_str()) == active);
    let items: Vec<_> = names.iter().map(ToString::to_string).collect();
    let chosen = cx
        .prompter()
        .select("Default connection", &items, default.unwrap_or(0))?;
    Ok(names[chosen].clone())
}

/// Warns if something overrides the new default here.
fn warn_of_override(name: &ConnectionName, cx: &Context) -> Result<(), CliError> {
    let config = Config::read(&cx.home()?.config())?;
    let inputs = Inputs {
        config: &config,
        flags: &Flags::default(),
        ..cx.inputs()?
    };
    let trace = inputs.resolve().connection.trace?;
    let winner = trace.winner();
    let other = winner.filter(|place| place.found.as_deref() != Some(name.as_str()));
    if let Some(other) = other {
        cx.printer().warn(&format!(
            "`{}` is still used here, named by {}",
            other.found.as_deref().unwrap_or_default(),
            other.source
        ));
    }
    Ok(())
}

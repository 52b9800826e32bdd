use clap_complete::engine::ArgValueCompleter;
use ntro_base::ConnectionName;
use ntro_client::config::Config;
use ntro_client::ops;
use ntro_client::resolve::{Flags, Inputs};
use serde::Serialize;

use crate::commands::completions::connections;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;

/// Set the default connection
#[derive(clap::Args, Debug)]
pub(crate) struct UseArgs {
    /// Connection to use unless another is named
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(connections))]
    name: ConnectionName,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct DefaultConnection {
    /// Name of the connection.
    default_connection_name: String,
}

pub(crate) fn run(args: UseArgs, cx: &Context) -> Result<Exit, CliError> {
    ops::set_default(cx.home()?, &args.name)?;
    cx.printer().confirm(&Done {
        text: format!("`{}` is the default connection now", args.name),
        value: DefaultConnection {
            default_connection_name: args.name.to_string(),
        },
    })?;
    warn_of_override(&args.name, cx)?;
    Ok(Exit::Success)
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

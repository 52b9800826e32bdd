use clap_complete::engine::ArgValueCompleter;
use ntro_base::{ConnectionName, TenantSlug};
use ntro_client::config::Pin;
use ntro_client::ops;
use serde::Serialize;

use crate::commands::completions::{connections, tenants};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::Done;
use crate::process::with_users_umask;

/// Choose the connection and the tenant of this folder in its `.ntro.toml`
///
/// They apply to the folders below too. The file names a connection and a tenant, never a host or a key, so a project can contain it. A
/// pinned tenant that the key does not reach is an error.
#[derive(clap::Args, Debug)]
pub(crate) struct PinArgs {
    /// Connection to use in this folder and below
    #[arg(id = "pinned", value_name = "CONNECTION", add = ArgValueCompleter::new(connections))]
    connection: ConnectionName,
    /// Tenant to use there [default: none]
    #[arg(id = "pinned_tenant", value_name = "TENANT", add = ArgValueCompleter::new(tenants))]
    tenant: Option<TenantSlug>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PinnedFolder {
    /// The file.
    path: String,
    /// Name of the pinned connection.
    connection: String,
    /// Slug or id of the pinned tenant.
    tenant: Option<String>,
}

pub(crate) fn run(args: PinArgs, cx: &Context) -> Result<Exit, CliError> {
    let PinArgs { connection, tenant } = args;
    let tenant = tenant.or_else(|| cx.global().tenant.clone());
    let config = cx.config()?;
    if !config.connections.contains_key(connection.as_str()) {
        return Err(ops::Error::UnknownConnection {
            name: connection,
            known: config.names().map(str::to_owned).collect(),
        }
        .into());
    }
    let folder = std::env::current_dir().map_err(|error| {
        let message = format!("the working directory cannot be found: {error}");
        CliError::new(Kind::Failure, message)
    })?;
    // The user's umask decides who can read the file.
    let path = with_users_umask(|| Pin::write(&folder, &connection, tenant.as_ref()))?;
    let with = match &tenant {
        Some(tenant) => format!(" with the tenant `{tenant}`"),
        None => String::new(),
    };
    cx.printer().confirm(&Done {
        text: format!("`{connection}`{with} is used in this folder and below, by `.ntro.toml`"),
        value: PinnedFolder {
            path: path.display().to_string(),
            connection: connection.to_string(),
            tenant: tenant.as_ref().map(ToString::to_string),
        },
    })?;
    Ok(Exit::Success)
}

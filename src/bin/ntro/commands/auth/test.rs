use serde::Serialize;

use super::super::identity;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;

/// Check that the server accepts the key
#[derive(clap::Args, Debug)]
pub(crate) struct TestArgs {}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct TestedConnection {
    /// Name of the connection, if one is used.
    connection: Option<String>,
    /// Base URL of the server.
    host: String,
    /// Name of the key's owner.
    name: String,
    /// Name of the organisation of the key's owner; its id if the server does not name it.
    organisation: Option<String>,
}

pub(crate) fn run(_args: TestArgs, cx: &Context) -> Result<Exit, CliError> {
    let connection = cx.connection()?;
    let whoami = identity::whoami(cx, &connection)?;
    let who = whoami.email.as_ref().unwrap_or(&whoami.name);
    let of = match &whoami.organisation {
        Some(organisation) => format!(" (organisation {organisation})"),
        None => String::new(),
    };
    cx.printer().confirm(&Done {
        text: format!("connected to {} as {who}{of}", whoami.host),
        value: TestedConnection {
            connection: whoami.connection.clone(),
            host: whoami.host.clone(),
            name: whoami.name.clone(),
            organisation: whoami.organisation.clone(),
        },
    })?;
    Ok(Exit::Success)
}

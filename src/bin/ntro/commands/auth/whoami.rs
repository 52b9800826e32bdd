use super::super::{expiry, identity};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Show the owner of the key and the tenants that it reaches
#[derive(clap::Args, Debug)]
pub(crate) struct WhoamiArgs {}

pub(crate) fn run(_args: WhoamiArgs, cx: &Context) -> Result<Exit, CliError> {
    let connection = cx.connection()?;
    let whoami = identity::whoami(cx, &connection)?;
    cx.printer().print(&whoami)?;
    expiry::warn(cx, whoami.connection.as_deref(), whoami.expires_at);
    Ok(Exit::Success)
}

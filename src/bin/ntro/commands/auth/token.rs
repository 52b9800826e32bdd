use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report};

/// Print the API key for scripts, if the connection's policy allows it
#[derive(clap::Args, Debug)]
pub(crate) struct TokenArgs {}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RevealedKey<'a> {
    /// The key itself.
    api_key: &'a str,
}

pub(crate) fn run(_args: TokenArgs, cx: &Context) -> Result<Exit, CliError> {
    let connection = cx.connection()?;
    let key = cx.reveal(&connection)?;
    cx.printer().print(&RevealedKey {
        api_key: key.expose(),
    })?;
    Ok(Exit::Success)
}

impl Report for RevealedKey<'_> {
    fn text(&self, _: Paint) -> String {
        format!("{}\n", self.api_key)
    }
}

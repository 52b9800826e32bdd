use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report};

/// Print the API key alone, for scripts, if the policy of the connection allows that
#[derive(clap::Args, Debug)]
pub(crate) struct TokenArgs {}

#[derive(Serialize)]
struct Token<'a> {
    api_key: &'a str,
}

pub(crate) fn run(_args: TokenArgs, cx: &Context) -> Result<Exit, CliError> {
    let connection = cx.connection()?;
    let key = cx.reveal(&connection)?;
    cx.printer().print(&Token {
        api_key: key.expose(),
    })?;
    Ok(Exit::Fine)
}

impl Report for Token<'_> {
    fn text(&self, _: Paint) -> String {
        format!("{}\n", self.api_key)
    }
}

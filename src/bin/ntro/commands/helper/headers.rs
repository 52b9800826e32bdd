use std::collections::BTreeMap;

use ntro_client::helper::KeyHeader;
use serde::Serialize;

use super::handed::{Handed, mcp_url};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report};

/// Print the header of the key as a JSON object, for the headers helpers of Claude Code and Codex
///
/// The URL is that of `--url`, or of the variable `CLAUDE_CODE_MCP_SERVER_URL`, which Claude Code sets.
/// The key is that of the connection with the origin of the URL; another origin is refused. Without
/// a URL, it is the key of the active connection.
#[derive(clap::Args, Debug)]
pub(crate) struct HeadersArgs {
    /// URL that the tool will send the header to
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// Value of each header, by its name.
#[derive(Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Headers<'a>(BTreeMap<&'a str, &'a str>);

pub(super) fn run(args: HeadersArgs, cx: &Context) -> Result<Exit, CliError> {
    let url = match args.url {
        Some(url) => Some(url),
        None => mcp_url(cx.env())?,
    };
    let handed = match &url {
        Some(url) => Handed::for_url(cx, url)?,
        None => Handed::active(cx)?,
    };
    let header = KeyHeader::of(handed.provider, &handed.key);
    let headers = BTreeMap::from([(header.name, header.value.as_str())]);
    cx.printer().print(&Headers(headers))?;
    Ok(Exit::Success)
}

impl Report for Headers<'_> {
    /// Returns the same JSON, on one line.
    fn text(&self, _: Paint) -> String {
        let json = serde_json::to_string(&self.0).unwrap_or_default();
        format!("{json}\n")
    }
}

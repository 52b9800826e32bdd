use jiff::Timestamp;
use ntro_client::helper::KeyHeader;
use serde::Serialize;

use super::handed::Handed;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report, whole_seconds};

/// Print the header of the key, its kind and its expiry as a JSON object, for scripts
#[derive(clap::Args, Debug)]
pub(crate) struct JsonArgs {
    /// URL that the header is for: its origin must be that of a connection [default: that of the
    /// active connection]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// A header that authenticates.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Described<'a> {
    /// Kind of the credential.
    #[cfg_attr(test, schemars(extend("enum" = ["bearer", "api_key"])))]
    r#type: &'static str,
    /// Name of the header.
    header: &'static str,
    /// Value of the header.
    value: &'a str,
    /// When the key expires, if the server reported it at the login.
    expires: Option<Timestamp>,
}

pub(super) fn run(args: JsonArgs, cx: &Context) -> Result<Exit, CliError> {
    let handed = match &args.url {
        Some(url) => Handed::for_url(cx, url)?,
        None => Handed::active(cx)?,
    };
    let header = KeyHeader::of(handed.provider, &handed.key);
    cx.printer().print(&Described {
        r#type: header.kind(),
        header: header.name,
        value: &header.value,
        expires: handed.expires.map(whole_seconds),
    })?;
    Ok(Exit::Success)
}

impl Report for Described<'_> {
    /// Returns the same JSON, on one line.
    fn text(&self, _: Paint) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{json}\n")
    }
}

use std::io::{self, Read as _};

use clap::ValueEnum;
use ntro_client::helper::KeyHeader;
use ntro_client::helper::bazel::{Request, answer};

use super::handed::Handed;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};

/// More than any request has.
const LONGEST: u64 = 1 << 20;

/// Answer Bazel, or a tool with the same protocol, as a credential helper
///
/// The request `{"uri": …}` on standard input gets the header of the connection with the origin of the
/// URL, `{"headers": {…}}`; another origin is an error.
#[derive(clap::Args, Debug)]
pub(crate) struct BazelArgs {
    /// Action to perform
    #[arg(value_enum)]
    action: Action,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Action {
    /// The headers for a URL
    Get,
}

pub(super) fn run(args: &BazelArgs, cx: &Context) -> Result<Exit, CliError> {
    let Action::Get = args.action;
    let mut text = String::new();
    let malformed = |reason: String| {
        let message = format!("the request is not `{{\"uri\": …}}`: {reason}");
        CliError::new(Kind::Failure, message)
    };
    io::stdin()
        .lock()
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| malformed(error.to_string()))?;
    let request: Request = serde_json::from_str(&text)
        .map_err(|error| malformed(format!("error at column {}", error.column())))?;
    let handed = Handed::for_url(cx, &request.uri)?;
    let header = KeyHeader::of(handed.provider, &handed.key);
    let answer = answer(&header, handed.expires);
    cx.printer().raw(answer.as_bytes())?;
    Ok(Exit::Success)
}

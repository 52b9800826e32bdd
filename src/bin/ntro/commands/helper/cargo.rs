use std::io::{self, BufRead as _, Read as _};

use ntro_client::helper::cargo::{GREETING, Refusal, Request, answer};
use zeroize::Zeroizing;

use super::handed::Handed;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};

/// More than any request has.
const LONGEST_LINE: u64 = 1 << 20;

/// Answer cargo as a credential provider
///
/// Answers for registries on the origins of the connections, and leaves all others to the next
/// provider. Cargo itself calls it as `ntro --cargo-plugin`, if the provider `ntro` is configured; `["ntro",
/// "-c", "NAME"]` names a connection.
#[derive(clap::Args, Debug)]
pub(crate) struct CargoArgs {}

pub(super) fn run(_args: CargoArgs, cx: &Context) -> Result<Exit, CliError> {
    cx.printer().raw(GREETING.as_bytes())?;
    let mut input = io::stdin().lock();
    loop {
        let mut line = String::new();
        let read = input.by_ref().take(LONGEST_LINE).read_line(&mut line);
        match read {
            Ok(0) => return Ok(Exit::Success),
            Ok(_) => {}
            Err(error) => {
                let message = format!("the request of cargo cannot be read: {error}");
                return Err(CliError::new(Kind::Failure, message));
            }
        }
        let reply = credential(&line, cx);
        let reply = reply.unwrap_or_else(|refusal| Zeroizing::new(refusal.line()));
        cx.printer().raw(reply.as_bytes())?;
    }
}

/// Returns the line with the key that a request asks for.
fn credential(line: &str, cx: &Context) -> Result<Zeroizing<String>, Refusal> {
    let request = Request::parse(line)?;
    let origin = request.origin().ok_or(Refusal::UrlNotSupported)?;
    let named = match request.connection()? {
        None => None,
        Some(name) => Some(
            name.parse()
                .map_err(|error: ntro_base::NameError| Refusal::Other(error.to_string()))?,
        ),
    };
    let handed = match named {
        None => Handed::for_origin(cx, &origin),
        Some(name) => Handed::for_origin(&cx.with_connection(name), &origin),
    };
    match handed {
        Ok(Some(handed)) => Ok(answer(handed.provider, &handed.key)),
        Ok(None) => Err(Refusal::UrlNotSupported),
        Err(error) if error.kind == Kind::NotAuthenticated => Err(Refusal::NotFound),
        Err(error) => Err(Refusal::Other(error.message)),
    }
}

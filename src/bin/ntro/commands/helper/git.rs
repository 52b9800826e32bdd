use std::io;

use clap::ValueEnum;
use ntro_client::helper::git::{CAPABILITIES, Error, Request};

use super::handed::Handed;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};

/// Answer git as a credential helper
///
/// Answers for the origins of the connections, and leaves all others to the next helper. Git gets the
/// key as a bearer token if it and the server take one (git 2.46 or later), or else as the password.
/// Nothing is stored or erased on the request of git. To set it up: `git config --global
/// credential.helper '!ntro helper git'`.
#[derive(clap::Args, Debug)]
pub(crate) struct GitArgs {
    /// Action to perform
    #[arg(value_enum)]
    action: Action,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Action {
    /// A credential
    Get,
    /// To store a credential: does nothing
    Store,
    /// To erase a credential: does nothing
    Erase,
    /// The features of the helper
    Capability,
}

pub(super) fn run(args: &GitArgs, cx: &Context) -> Result<Exit, CliError> {
    match args.action {
        Action::Capability => cx.printer().raw(CAPABILITIES.as_bytes())?,
        Action::Store => {
            request()?;
            tracing::debug!("nothing is stored: `ntro auth login` does that");
        }
        Action::Erase => {
            request()?;
            cx.printer().note(
                "Nothing is erased: the server has refused a credential; see `ntro auth status`.",
            );
        }
        Action::Get => {
            let request = request()?;
            let Some(origin) = request.origin() else {
                return Ok(Exit::Success);
            };
            if let Some(handed) = Handed::for_origin(cx, &origin)? {
                let answer = request.answer(handed.provider, &handed.key);
                cx.printer().raw(answer.as_bytes())?;
            }
        }
    }
    Ok(Exit::Success)
}

fn request() -> Result<Request, CliError> {
    Request::read(io::stdin().lock()).map_err(|error: Error| {
        CliError::new(Kind::Failure, error.to_string()).hint(
            "set it as a helper of git: `git config --global credential.helper '!ntro helper git'`",
        )
    })
}

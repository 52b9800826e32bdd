//! Confirmation before changes to a production server or the loss of its keys.
//!
//! Every such command calls [`confirm`] before its first request.

use ntro_client::resolve::{Production, Resolution};

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

/// The option that answers the question beforehand, shared by the commands that may ask it.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct ConfirmArgs {
    /// Skip the confirmation, even for a production connection
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Asks for confirmation if the connection is production. `what` is imperative, such as "create the
/// key `ci`".
pub(crate) fn confirm(
    cx: &Context,
    resolution: &Resolution,
    sure: ConfirmArgs,
    what: &str,
) -> Result<(), CliError> {
    let Some(production) = unanswered(cx, resolution, sure, what)? else {
        return Ok(());
    };
    let question = format!("{production} is production. Really {what}?");
    match cx.prompter().confirm(&question)? {
        true => Ok(()),
        false => Err(CliError::new(
            Kind::Conflict,
            format!("{production} was not changed"),
        )),
    }
}

/// Returns the production connection that still needs confirmation, for a command that always asks
/// its own question. Fails if there is no terminal to ask on.
pub(crate) fn unanswered(
    cx: &Context,
    resolution: &Resolution,
    sure: ConfirmArgs,
    what: &str,
) -> Result<Option<Production>, CliError> {
    match resolution.production()?.filter(|_| !sure.yes) {
        Some(production) if !cx.prompter().is_interactive() => Err(refused(production, what)),
        production => Ok(production.cloned()),
    }
}

fn refused(production: &Production, what: &str) -> CliError {
    let why = production.source.to_string();
    let message = format!(
        "{production} is production (by {why}), and there is no terminal to confirm: {what}"
    );
    let hint = match &production.connection {
        Some(name) => format!(
            "give `--yes` to confirm; if `{name}` is not production, say `production = false` in its part of `config.toml`"
        ),
        None => "give `--yes` to confirm".to_owned(),
    };
    CliError::usage(message).hint(hint)
}

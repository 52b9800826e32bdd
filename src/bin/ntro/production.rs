//! Asking before something is changed at a production server, or a key of it destroyed.
//!
//! Every command that does either goes through [`confirm`], before its first request.

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

/// Makes sure that a change is meant, if it is one of production. `what` says it as an order, such
/// as "create the key `ci`".
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
    match cx.prompter().confirm(&question, false)? {
        true => Ok(()),
        false => Err(CliError::new(
            Kind::Conflict,
            format!("{production} was not changed"),
        )),
    }
}

/// Returns what is production about a change that is yet to be confirmed, for a command that asks
/// in any case and in its own words. Where nobody can be asked, that is refused.
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

/// Refuses a change of production that is not said to be meant, for a command that asks nobody.
pub(crate) fn require_yes(
    resolution: &Resolution,
    sure: ConfirmArgs,
    what: &str,
) -> Result<(), CliError> {
    match resolution.production()?.filter(|_| !sure.yes) {
        Some(production) => Err(refused(production, what)),
        None => Ok(()),
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

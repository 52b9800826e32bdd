use std::time::Duration;

use ntro_client::secrets::Unlocked;
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;

/// Lock the encrypted key file that `NTRO_UNLOCK_FOR` keeps unlocked
#[derive(clap::Args, Debug)]
pub(crate) struct LockArgs {}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LockedStore {
    /// Whether the store was unlocked.
    was_unlocked: bool,
}

pub(crate) fn run(_args: LockArgs, cx: &Context) -> Result<Exit, CliError> {
    let place = Unlocked::new(cx.home()?.folder(), Duration::ZERO);
    let was_unlocked = place.is_ok_and(|place| place.forget());
    let text = match was_unlocked {
        true => "the `file` store is locked",
        false => "the `file` store was not unlocked",
    };
    cx.printer().confirm(&Done {
        text: text.to_owned(),
        value: LockedStore { was_unlocked },
    })?;
    Ok(Exit::Success)
}

//! `ntro exec --keyless`, which needs a process that becomes another.

use std::process::Command;

use ntro_client::exec::Selection;

use super::child::ChildArgs;
use crate::context::Context;
use crate::error::CliError;

/// The options of a keyless program.
#[derive(clap::Args, Debug)]
pub(super) struct KeylessArgs {
    /// Not available on this system
    #[arg(long, hide = true)]
    pub(super) keyless: bool,
}

impl KeylessArgs {
    #[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
    pub(super) fn check(&self) -> Result<(), CliError> {
        Ok(())
    }
}

/// Fails: this system has no such programs.
pub(super) fn prepare(
    _: KeylessArgs,
    _: &ChildArgs,
    _: &Selection,
    _: &mut Command,
    _: &Context,
) -> Result<(), CliError> {
    Err(
        CliError::usage("`--keyless` is not available on this system")
            .hint("`ntro proxy` serves programs that have no key here as well"),
    )
}

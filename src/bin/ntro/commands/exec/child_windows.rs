//! `ntro exec --child`, which needs a process that becomes another.

use std::process::Command;

use ntro_base::ApiKey;
use ntro_client::exec::Selection;

use crate::context::Context;
use crate::error::CliError;

/// The options of a child key.
#[derive(clap::Args, Debug)]
pub(super) struct ChildArgs {
    /// Not available on this system
    #[arg(long, hide = true)]
    child: bool,
}

impl ChildArgs {
    pub(super) fn is_given(&self) -> bool {
        self.child
    }
}

/// Fails: this system has no such programs.
pub(super) fn prepare(
    _: &ChildArgs,
    _: &Selection,
    _: &mut Command,
    _: &Context,
) -> Result<ApiKey, CliError> {
    Err(CliError::usage("`--child` is not available on this system")
        .hint("remove `--child` to give the program the connection's own key"))
}

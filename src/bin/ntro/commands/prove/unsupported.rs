//! Other systems have no seal to try.

use std::ffi::OsString;
use std::time::Duration;

use ntro_client::exec::seal::SealLevel;

use super::Proof;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

/// What to try.
#[expect(dead_code, reason = "the counterpart reads them")]
pub(crate) struct Trial {
    pub(crate) seal: Option<SealLevel>,
    pub(crate) command: Vec<OsString>,
    pub(crate) with_connection: bool,
    pub(crate) limit: Option<Duration>,
}

/// Fails: a keyless program is not sealed on this system.
pub(crate) fn attempts(_: &Trial, _: &Context) -> Result<Proof, CliError> {
    let message = "programs are not sealed on this system: every attempt would succeed";
    Err(CliError::new(Kind::Failure, message)
        .hint("only Linux has the seal of `ntro exec --keyless`"))
}

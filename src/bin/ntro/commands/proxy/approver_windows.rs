//! `--ask`, which needs Unix sockets and terminals.

use ntro_client::proxy::{Approver, Rules};

use crate::context::Context;
use crate::error::CliError;

/// Fails if a person would be asked.
pub(super) fn approver(
    rules: &Rules,
    _: &Context,
) -> Result<(Approver, impl Future<Output = ()> + use<>), CliError> {
    match rules.ask.is_empty() {
        true => Ok((Approver::None, std::future::pending())),
        false => Err(CliError::usage("`--ask` is not available on this system")
            .hint("`--deny` refuses the calls")),
    }
}

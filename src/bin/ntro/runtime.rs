use ntro_base::descriptors::{ensure_spare_descriptors, is_shortage};
use tokio::runtime::{Builder, Runtime};

use crate::error::{CliError, DESCRIPTORS};
use crate::exit::Kind;

/// Builds a runtime with I/O and time.
pub(crate) fn build(builder: &mut Builder) -> Result<Runtime, CliError> {
    ensure_spare_descriptors()
        .and_then(|()| builder.enable_all().build())
        .map_err(|error| {
            let failure = CliError::new(Kind::Failure, format!("cannot start: {error}"));
            match is_shortage(&error) {
                true => failure.hint(DESCRIPTORS),
                false => failure,
            }
        })
}

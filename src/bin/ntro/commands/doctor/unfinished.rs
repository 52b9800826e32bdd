//! Keys that were on their way to another store when a command was cut off.

use ntro::migration;

use super::{Files, Findings};
use crate::error::CliError;

const CHECK: &str = "unfinished";

pub(super) fn check(files: &Files, findings: &mut Findings) {
    match migration::Journal::read(&files.home.migrations()) {
        Ok(journal) => {
            for name in journal.names() {
                findings.warning(
                    CHECK,
                    format!("the key of `{name}` was being moved to another store"),
                    format!("ntro auth migrate {name}"),
                );
            }
        }
        Err(error) => {
            let error = CliError::from(error);
            findings.problem(CHECK, error.message, error.hint.unwrap_or_default());
        }
    }
    findings.ok_otherwise(CHECK, "no key is half way to anywhere");
}

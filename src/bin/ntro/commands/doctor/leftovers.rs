//! Temporary files left by killed writers.

use std::path::PathBuf;

use super::Findings;
use crate::context::Context;
use crate::error::CliError;

const CHECK: &str = "leftovers";

pub(super) fn check(
    cx: &Context,
    left: Vec<PathBuf>,
    fix: bool,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let home = cx.home()?;
    if left.is_empty() {
        findings.ok(CHECK, "no leftover files");
        return Ok(());
    }
    // Taking the lock removes the leftovers.
    let done = fix && home.lock().is_ok() && home.leftovers().next().is_none();
    for path in left {
        let message = format!("`{}` is left over from a killed command", path.display());
        if done {
            findings.fixed(CHECK, message);
        } else {
            findings.warning(CHECK, message, "ntro doctor --fix");
        }
    }
    Ok(())
}

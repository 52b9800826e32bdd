//! A question that can be withdrawn while it is on the screen.

use std::os::fd::AsFd;

use super::terminal::Terminal;
use super::{Stop, screen};
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::Paint;

/// Writes a line above a question. Its text must be printable.
pub(crate) fn show(line: &str) {
    screen::write(&format!("{line}\n"));
}

/// Asks a yes-or-no question, which has no default. Returns `None` once `withdrawn` becomes
/// readable.
pub(crate) fn confirm_until(
    withdrawn: &impl AsFd,
    question: &str,
    paint: Paint,
) -> Result<Option<bool>, CliError> {
    let duplicate = || {
        let duplicated = withdrawn.as_fd().try_clone_to_owned();
        duplicated.map_err(|error| CliError::new(Kind::Failure, error.to_string()))
    };
    loop {
        match Terminal::new(paint).confirm_until(duplicate()?, question) {
            Ok(answer) => return Ok(Some(answer)),
            Err(Stop::Withdrawn) => return Ok(None),
            // There is no question before.
            Err(Stop::Back) => {}
            Err(stop) => return Err(stop.into()),
        }
    }
}

//! Progress bars and spinners, drawn only on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Printer;

/// Interval between two frames of a spinner.
const TURN: Duration = Duration::from_millis(100);

/// Returns a progress bar of `length` steps; hidden if progress is not drawn.
pub(crate) fn bar(printer: &Printer, what: &'static str, length: usize) -> ProgressBar {
    if !printer.draws_progress() || length < 2 {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::stderr());
    bar.set_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// Returns a progress bar that also moves between two steps; hidden if progress is not drawn.
pub(crate) fn turning_bar(printer: &Printer, what: &'static str, length: usize) -> ProgressBar {
    let bar = spinner(printer, what.to_owned());
    bar.set_length(length as u64);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

/// Returns a spinner; hidden if progress is not drawn.
pub(crate) fn spinner(printer: &Printer, what: String) -> ProgressBar {
    if !printer.draws_progress() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_style(ProgressStyle::default_spinner());
    spinner.set_message(what);
    spinner.enable_steady_tick(TURN);
    spinner
}

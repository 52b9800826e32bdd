//! The size of the terminal on standard output.

/// Returns its width; `None` if standard output is no terminal.
#[cfg(unix)]
pub(super) fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// On Windows lines are not fitted; the console wraps them.
#[cfg(not(unix))]
pub(super) fn width() -> Option<usize> {
    None
}

/// Returns its height, if it can be redrawn.
#[cfg(unix)]
pub(crate) fn terminal_height() -> Option<usize> {
    use std::io::IsTerminal as _;

    if !std::io::stdout().is_terminal() {
        return None;
    }
    let rows = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| size.ws_row);
    // A terminal of unknown height counts as the smallest common one.
    Some(if rows > 0 { usize::from(rows) } else { 24 })
}

/// Windows consoles are not redrawn: changes are printed as lines.
#[cfg(not(unix))]
pub(crate) fn terminal_height() -> Option<usize> {
    None
}

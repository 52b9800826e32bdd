//! Ctrl-C while a question is on the screen.
//!
//! The prompts switch the terminal's echo off or hide its cursor, and a signal would end the
//! process with the terminal left like that. So the first question starts a thread that waits for
//! signals, puts the terminal back and ends the process with the signal's code.

#[cfg(unix)]
pub(crate) use unix::{guard_terminal, restore_terminal};

/// On Windows the console's own handler restores its modes.
#[cfg(not(unix))]
pub(crate) fn guard_terminal() {}

/// On Windows the console's own handler restores its modes.
#[cfg(not(unix))]
pub(crate) fn restore_terminal() {}

#[cfg(unix)]
mod unix {
    use std::io::Write as _;
    use std::sync::OnceLock;

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// The terminal's modes before the first question; none where they cannot be told.
    static BEFORE: OnceLock<Option<Termios>> = OnceLock::new();

    /// Sees to it that a signal leaves the terminal as it was before the first question.
    pub(crate) fn guard_terminal() {
        BEFORE.get_or_init(|| {
            let before = tcgetattr(std::io::stdin()).ok()?;
            let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).ok()?;
            std::thread::spawn(move || {
                if let Some(signal) = signals.forever().next() {
                    restore_terminal();
                    let _ = std::io::stderr().write_all(b"\n");
                    #[expect(
                        clippy::exit,
                        reason = "the answer to a signal, from outside the main thread"
                    )]
                    std::process::exit(128 + signal);
                }
            });
            Some(before)
        });
    }

    /// Puts the terminal back as it was before the first question.
    ///
    /// A prompt that reads keys one by one takes Ctrl-C as one of them: the main thread then
    /// learns of it as well, and may end the process before the other one has got its turn.
    pub(crate) fn restore_terminal() {
        if let Some(Some(before)) = BEFORE.get() {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
            // The cursor is shown again.
            let _ = std::io::stderr().write_all(b"\x1b[?25h");
        }
    }
}

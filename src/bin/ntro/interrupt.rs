//! Ctrl-C while a question is on the screen.
//!
//! The prompts switch the terminal's echo off or hide its cursor, and a signal would end the
//! process with the terminal left like that. So the first question starts a thread that waits for
//! signals, puts the terminal back and ends the process with the signal's code.

#[cfg(unix)]
pub(crate) fn guard_terminal() {
    use std::io::Write as _;
    use std::sync::Once;

    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = tcgetattr(std::io::stdin());
        let (Ok(before), Ok(mut signals)) = (before, Signals::new([SIGINT, SIGTERM, SIGHUP]))
        else {
            return;
        };
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
                // Show the cursor, and leave the line of the question.
                let _ = std::io::stderr().write_all(b"\x1b[?25h\n");
                #[expect(
                    clippy::exit,
                    reason = "the answer to a signal, from outside the main thread"
                )]
                std::process::exit(128 + signal);
            }
        });
    });
}

/// On Windows the console's own handler restores its modes.
#[cfg(not(unix))]
pub(crate) fn guard_terminal() {}

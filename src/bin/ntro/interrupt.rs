//! Ctrl-C while a question is on the screen.
//!
//! The prompts switch the terminal's echo off or hide its cursor, and a signal would end the
//! process and leave the terminal in that state. So the first question starts a thread that waits
//! for signals, restores the terminal and ends the process with the signal's code.
//!
//! The thread continues after the answer, since a handler cannot be removed. It ends the process as
//! the system would, unless a command handles the signal itself to clean up.

use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
pub(crate) use unix::{guard_terminal, restore_terminal};

/// Whether the command handles Ctrl-C itself.
static INTERRUPT: AtomicBool = AtomicBool::new(false);
/// Whether the command handles the termination signal of a service itself.
static TERMINATION: AtomicBool = AtomicBool::new(false);

/// Leaves Ctrl-C to the command, except while a question is on the screen.
///
/// This cannot be undone: the thread may be scheduled only after the command has received the
/// signal and is cleaning up.
pub(crate) fn leave_interrupt() {
    INTERRUPT.store(true, Ordering::SeqCst);
}

/// Leaves Ctrl-C and the termination signal of a service to the command, like [`leave_interrupt`].
#[cfg(feature = "authority")]
pub(crate) fn leave_shutdown() {
    leave_interrupt();
    TERMINATION.store(true, Ordering::SeqCst);
}

/// Marks a question as on the screen until dropped.
#[cfg(not(unix))]
#[must_use]
pub(crate) struct Asking(());

/// On Windows the console's handler restores its modes.
#[cfg(not(unix))]
pub(crate) fn guard_terminal() -> Asking {
    Asking(())
}

/// On Windows the console's handler restores its modes.
#[cfg(not(unix))]
pub(crate) fn restore_terminal() {}

#[cfg(unix)]
mod unix {
    use std::io::Write as _;
    use std::sync::atomic::Ordering;
    use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    use super::{INTERRUPT, TERMINATION};

    /// The terminal's modes before the first question; `None` if they cannot be read.
    static BEFORE: OnceLock<Option<Termios>> = OnceLock::new();

    /// Whether a question is on the screen. The thread that ends the process keeps this lock, so
    /// that no question changes the restored terminal again.
    static ASKING: Mutex<bool> = Mutex::new(false);

    fn asking() -> MutexGuard<'static, bool> {
        ASKING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a question as on the screen until dropped.
    #[must_use]
    pub(crate) struct Asking(());

    impl Drop for Asking {
        fn drop(&mut self) {
            *asking() = false;
        }
    }

    /// Ensures that a signal restores the terminal to its state before the first question.
    pub(crate) fn guard_terminal() -> Asking {
        BEFORE.get_or_init(|| {
            let before = tcgetattr(std::io::stdin()).ok()?;
            let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).ok()?;
            std::thread::spawn(move || {
                for signal in signals.forever() {
                    let asking = asking();
                    let awaited = match signal {
                        SIGINT => INTERRUPT.load(Ordering::SeqCst),
                        SIGTERM => TERMINATION.load(Ordering::SeqCst),
                        _ => false,
                    };
                    if *asking || !awaited {
                        end(signal, *asking);
                    }
                }
            });
            Some(before)
        });
        *asking() = true;
        Asking(())
    }

    /// Ends the process. The terminal's modes are restored last, so that a prompt about to change
    /// them has no time left to do so.
    fn end(signal: i32, asking: bool) -> ! {
        if asking {
            let _ = std::io::stderr().write_all(b"\n");
        }
        restore_terminal();
        signal_hook::low_level::exit(128 + signal)
    }

    /// Restores the terminal to its state before the first question.
    ///
    /// A prompt that reads single keys receives Ctrl-C as a key: the main thread then sees it as
    /// well, and may end the process before the signal thread runs.
    pub(crate) fn restore_terminal() {
        if let Some(Some(before)) = BEFORE.get() {
            // Shows the cursor again.
            let _ = std::io::stderr().write_all(b"\x1b[?25h");
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

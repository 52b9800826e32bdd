//! Ctrl-C while a question is on the screen.
//!
//! The prompts switch the terminal's echo off or hide its cursor, and a signal would end the
//! process with the terminal left like that. So the first question starts a thread that waits for
//! signals, puts the terminal back and ends the process with the signal's code.
//!
//! The thread goes on when the question is answered, since a handler cannot be taken back. It ends
//! the process as the system would, unless a command waits for the signal itself, to clear up.

use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
pub(crate) use unix::{guard_terminal, restore_terminal};

/// Whether the command waits for Ctrl-C itself.
static INTERRUPT: AtomicBool = AtomicBool::new(false);
/// Whether it waits for the signal that asks a service to end.
static TERMINATION: AtomicBool = AtomicBool::new(false);

/// Leaves Ctrl-C to the command, except while a question is on the screen.
///
/// For good: the thread may get its turn only when the command has heard of the signal and is
/// clearing up.
pub(crate) fn leave_interrupt() {
    INTERRUPT.store(true, Ordering::SeqCst);
}

/// Leaves Ctrl-C and the signal that asks a service to end to the command, as
/// [`leave_interrupt`] does.
#[cfg(feature = "authority")]
pub(crate) fn leave_shutdown() {
    leave_interrupt();
    TERMINATION.store(true, Ordering::SeqCst);
}

/// A question that is on the screen, until this is dropped.
#[cfg(not(unix))]
#[must_use]
pub(crate) struct Asking(());

/// On Windows the console's own handler restores its modes.
#[cfg(not(unix))]
pub(crate) fn guard_terminal() -> Asking {
    Asking(())
}

/// On Windows the console's own handler restores its modes.
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

    /// The terminal's modes before the first question; none where they cannot be told.
    static BEFORE: OnceLock<Option<Termios>> = OnceLock::new();

    /// Whether a question is on the screen. Who ends the process holds this to the end, so that no
    /// question changes the terminal any more that was just put back.
    static ASKING: Mutex<bool> = Mutex::new(false);

    fn asking() -> MutexGuard<'static, bool> {
        ASKING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A question that is on the screen, until this is dropped.
    #[must_use]
    pub(crate) struct Asking(());

    impl Drop for Asking {
        fn drop(&mut self) {
            *asking() = false;
        }
    }

    /// Sees to it that a signal leaves the terminal as it was before the first question.
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

    /// Ends the process. The terminal's modes come last, and after them nothing: a prompt that is
    /// just about to change them has no time left to do so.
    fn end(signal: i32, asking: bool) -> ! {
        if asking {
            let _ = std::io::stderr().write_all(b"\n");
        }
        restore_terminal();
        signal_hook::low_level::exit(128 + signal)
    }

    /// Puts the terminal back as it was before the first question.
    ///
    /// A prompt that reads keys one by one takes Ctrl-C as one of them: the main thread then
    /// learns of it as well, and may end the process before the other one has got its turn.
    pub(crate) fn restore_terminal() {
        if let Some(Some(before)) = BEFORE.get() {
            // The cursor is shown again.
            let _ = std::io::stderr().write_all(b"\x1b[?25h");
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

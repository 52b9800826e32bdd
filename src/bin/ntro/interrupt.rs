//! The terminal while a question is on the screen, and signals that arrive then.
//!
//! A question reads single keys without echo, so the first one starts a thread that waits for
//! signals, restores the terminal and ends the process with the signal's code.
//!
//! The thread continues after the answer, since a handler cannot be removed. It ends the process as
//! the system would, unless a command handles the signal itself to clean up.

use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(unix)]
pub(crate) use unix::{Asking, cancel_on_interrupt, discard_input, end_cancelling, guard_terminal};

/// Whether the command handles Ctrl-C itself.
static INTERRUPT: AtomicBool = AtomicBool::new(false);
/// Whether the command handles the termination signal of a service itself.
static TERMINATION: AtomicBool = AtomicBool::new(false);
/// Whether the command handles the other signals itself.
static OTHERS: AtomicBool = AtomicBool::new(false);

/// Leaves Ctrl-C to the command, except while a question is on the screen.
///
/// This cannot be undone: the thread may be scheduled only after the command has received the
/// signal and is cleaning up.
pub(crate) fn leave_interrupt() {
    INTERRUPT.store(true, Ordering::SeqCst);
}

/// Leaves Ctrl-C and the termination signal of a service to the command, like [`leave_interrupt`].
pub(crate) fn leave_shutdown() {
    leave_interrupt();
    TERMINATION.store(true, Ordering::SeqCst);
}

/// Leaves every signal to the command, like [`leave_interrupt`].
pub(crate) fn leave_all() {
    leave_interrupt();
    TERMINATION.store(true, Ordering::SeqCst);
    OTHERS.store(true, Ordering::SeqCst);
}

/// A Windows console keeps no input for the shell.
#[cfg(not(unix))]
pub(crate) fn discard_input() {}

/// Windows ends a console process without a message.
#[cfg(not(unix))]
pub(crate) fn cancel_on_interrupt(_report: impl Fn() + Send + 'static) {}

#[cfg(not(unix))]
pub(crate) fn end_cancelling() {}

#[cfg(unix)]
mod unix {
    use std::io::{self, Read as _, Write as _};
    use std::os::fd::{AsFd as _, BorrowedFd};
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::Ordering;
    use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use rustix::process::{Signal, kill_current_process_group};
    use rustix::termios::{
        LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
        tcsetattr,
    };
    use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
    use signal_hook::iterator::Signals;
    use zeroize::Zeroizing;

    use super::{INTERRUPT, OTHERS, TERMINATION};
    use crate::prompt::ControlKeys;

    /// A terminal is silent for this long once a paste has arrived.
    const SILENCE: Duration = Duration::from_millis(30);
    /// A terminal that is never silent is not waited for.
    const LONGEST_PASTE: Duration = Duration::from_secs(1);

    /// The terminal as the first question found it.
    struct Found {
        modes: Termios,
        /// Becomes readable when the process is continued after a stop.
        continued: UnixStream,
        /// Becomes readable when the size of the terminal changes.
        resized: UnixStream,
    }

    static FOUND: OnceLock<Found> = OnceLock::new();

    /// Whether a question is on the screen. The thread that ends the process keeps this lock, so
    /// that no question changes the restored terminal again.
    static ASKING: Mutex<bool> = Mutex::new(false);

    fn asking() -> MutexGuard<'static, bool> {
        ASKING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    type Report = Box<dyn Fn() + Send>;

    /// Reports Ctrl-C where it cancels the command.
    static CANCELLED: Mutex<Option<Report>> = Mutex::new(None);

    fn cancelled() -> MutexGuard<'static, Option<Report>> {
        CANCELLED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `report` before Ctrl-C ends the process, between questions as well. For a command that
    /// has not changed anything yet, on a terminal.
    pub(crate) fn cancel_on_interrupt(report: impl Fn() + Send + 'static) {
        if found().is_ok() {
            *cancelled() = Some(Box::new(report));
        }
    }

    /// Ends [`cancel_on_interrupt`], before the command changes something.
    pub(crate) fn end_cancelling() {
        *cancelled() = None;
    }

    fn found() -> io::Result<&'static Found> {
        if let Some(found) = FOUND.get() {
            return Ok(found);
        }
        let found = Found::new()?;
        Ok(FOUND.get_or_init(|| found))
    }

    /// A question on the screen: the terminal sends single keys without echo until this is dropped.
    #[must_use]
    pub(crate) struct Asking(&'static Found);

    impl Drop for Asking {
        fn drop(&mut self) {
            self.discard();
            let mut asking = asking();
            self.0.restore();
            *asking = false;
        }
    }

    /// Prepares the terminal for a question, and for a signal that arrives meanwhile.
    pub(crate) fn guard_terminal() -> io::Result<Asking> {
        let this = Asking(found()?);
        *asking() = true;
        this.resume()?;
        Ok(this)
    }

    /// Discards what a person typed since the last question: it is not for the shell.
    pub(crate) fn discard_input() {
        if FOUND.get().is_some() {
            let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        }
    }

    impl Asking {
        pub(crate) fn control_keys(&self) -> ControlKeys {
            let codes = &self.0.modes.special_codes;
            ControlKeys {
                interrupt: codes[SpecialCodeIndex::VINTR],
                quit: codes[SpecialCodeIndex::VQUIT],
                suspend: codes[SpecialCodeIndex::VSUSP],
                erase: codes[SpecialCodeIndex::VERASE],
            }
        }

        /// Becomes readable when the process is continued after a stop.
        pub(crate) fn continued(&self) -> BorrowedFd<'_> {
            self.0.continued.as_fd()
        }

        /// Becomes readable when the size of the terminal changes.
        pub(crate) fn resized(&self) -> BorrowedFd<'_> {
            self.0.resized.as_fd()
        }

        /// Forgets the changes of the size so far.
        pub(crate) fn take_resize(&self) {
            drain(&self.0.resized);
        }

        /// Discards what is typed or pasted, until the terminal is silent.
        pub(crate) fn discard(&self) {
            let stdin = io::stdin();
            let silence = Timespec::try_from(SILENCE).unwrap_or_default();
            let begun = Instant::now();
            while begun.elapsed() < LONGEST_PASTE {
                let mut source = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
                if !matches!(poll(&mut source, Some(&silence)), Ok(1)) {
                    return;
                }
                let mut bytes = Zeroizing::new([0; 1024]);
                if !matches!(rustix::io::read(&stdin, &mut *bytes), Ok(1..)) {
                    return;
                }
            }
        }

        /// Stops the process, as the terminal does for Ctrl-Z, and returns once it is continued.
        pub(crate) fn suspend(&self) -> io::Result<()> {
            self.0.restore();
            kill_current_process_group(Signal::TSTP)?;
            self.resume()
        }

        /// Switches to single keys without echo: another process may have changed the modes.
        pub(crate) fn resume(&self) -> io::Result<()> {
            drain(&self.0.continued);
            let mut modes = self.0.modes.clone();
            modes.local_modes &=
                !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            let _lock = asking();
            set(&modes)?;
            // Pasted text arrives in brackets.
            let _ = io::stderr().write_all(b"\x1b[?2004h");
            Ok(())
        }

        /// Ends the process, as the terminal does for Ctrl-\.
        pub(crate) fn quit(&self) -> ! {
            self.discard();
            let _lock = asking();
            self.0.end(SIGQUIT, true)
        }
    }

    impl Found {
        fn new() -> io::Result<Self> {
            let modes = tcgetattr(io::stdin())?;
            let continued = woken_by(SIGCONT)?;
            let resized = woken_by(SIGWINCH)?;
            let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
            std::thread::spawn(move || {
                for signal in signals.forever() {
                    let asking = asking();
                    let awaited = match signal {
                        SIGINT => INTERRUPT.load(Ordering::SeqCst),
                        SIGTERM => TERMINATION.load(Ordering::SeqCst),
                        _ => OTHERS.load(Ordering::SeqCst),
                    };
                    if let Some(found) = FOUND.get()
                        && (*asking || !awaited)
                    {
                        if signal == SIGINT
                            && let Some(report) = &*cancelled()
                        {
                            // In place of a spinner.
                            let _ = io::stderr().write_all(b"\r\x1b[K");
                            report();
                        }
                        found.end(signal, *asking);
                    }
                }
            });
            Ok(Self {
                modes,
                continued,
                resized,
            })
        }

        /// Ends the process. The terminal's modes are restored last, so that a question about to
        /// change them has no time left to do so.
        fn end(&self, signal: i32, asking: bool) -> ! {
            if asking {
                let _ = io::stderr().write_all(b"\n");
            }
            self.restore();
            signal_hook::low_level::exit(128 + signal)
        }

        /// Restores the terminal, and discards its input.
        fn restore(&self) {
            let _ = io::stderr().write_all(b"\x1b[?2004l");
            let _ = set(&self.modes);
        }
    }

    /// Returns a stream that becomes readable with each signal.
    fn woken_by(signal: i32) -> io::Result<UnixStream> {
        let (woken, wake) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(signal, wake)?;
        Ok(woken)
    }

    fn drain(mut woken: &UnixStream) {
        let _ = woken.read(&mut [0; 64]);
    }

    /// Sets the modes of the terminal and discards its input. Repeats a call that a stop has
    /// interrupted.
    fn set(modes: &Termios) -> io::Result<()> {
        loop {
            match tcsetattr(io::stdin(), OptionalActions::Flush, modes) {
                Err(Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }
}

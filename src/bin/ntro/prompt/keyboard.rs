//! The keyboard of a Unix terminal, read in raw mode.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::tcgetwinsize;
use zeroize::Zeroizing;

use super::key::{Decoder, Key};
use super::screen::write;
use crate::error::CliError;
use crate::exit::Kind;
use crate::interrupt::{self, Asking};

/// How long the rest of an escape sequence may take; a lone Esc waits for it.
const SEQUENCE: Duration = Duration::from_millis(50);
/// How long the rest of a paste may take.
const PASTE: Duration = Duration::from_secs(1);

/// Reads keys while it exists. The terminal is then restored, and what it has not read is
/// discarded.
pub(super) struct Keyboard {
    asking: Asking,
    decoder: Decoder,
    /// Becomes readable when the question needs no answer any more.
    withdrawn: Option<OwnedFd>,
}

impl Keyboard {
    pub(super) fn open() -> Result<Self, CliError> {
        let asking = interrupt::guard_terminal().map_err(unreadable)?;
        let decoder = Decoder::new(asking.control_keys());
        Ok(Self {
            asking,
            decoder,
            withdrawn: None,
        })
    }

    /// Returns [`Key::Withdrawn`] once `withdrawn` becomes readable.
    pub(super) fn open_until(withdrawn: OwnedFd) -> Result<Self, CliError> {
        Ok(Self {
            withdrawn: Some(withdrawn),
            ..Self::open()?
        })
    }

    /// Returns whether a further key was already read.
    pub(super) fn has_more(&self) -> bool {
        !self.decoder.is_empty()
    }

    /// Discards what is typed or pasted and not yet returned.
    pub(super) fn discard(&mut self) {
        self.decoder.clear();
        self.asking.discard();
    }

    /// Waits for a key. Ctrl-Z stops the process here, Ctrl-\ ends it.
    pub(super) fn key(&mut self) -> Result<Key, CliError> {
        match self.next().map_err(unreadable)? {
            Key::Suspend => {
                write("\n");
                self.decoder.clear();
                self.asking.suspend().map_err(unreadable)?;
                Ok(Key::Redraw)
            }
            Key::Quit => self.asking.quit(),
            key => Ok(key),
        }
    }

    fn next(&mut self) -> io::Result<Key> {
        let mut complete = false;
        loop {
            if let Some(key) = self.decoder.next(complete) {
                return Ok(key);
            }
            let timeout = match (self.decoder.is_empty(), self.decoder.is_pasting()) {
                (true, _) => None,
                (_, true) => Some(PASTE),
                (_, false) => Some(SEQUENCE),
            };
            match self.wait(timeout)? {
                Event::Continued => return Ok(Key::Redraw),
                Event::Resized => return Ok(Key::Resize),
                Event::Withdrawn => return Ok(Key::Withdrawn),
                Event::Timeout => complete = true,
                Event::Input => {
                    complete = false;
                    let mut bytes = Zeroizing::new([0; 1024]);
                    match rustix::io::read(io::stdin(), &mut *bytes) {
                        Ok(0) => return Ok(Key::EndOfInput),
                        Ok(length) => self.decoder.feed(&bytes[..length]),
                        Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
    }

    fn wait(&self, timeout: Option<Duration>) -> io::Result<Event> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let stdin = io::stdin();
        loop {
            // A source cannot be left out: standard input stands for it.
            let withdrawn = self.withdrawn.as_ref().map_or(stdin.as_fd(), AsFd::as_fd);
            let mut sources = [
                PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(self.asking.continued(), PollFlags::IN),
                PollFd::from_borrowed_fd(self.asking.resized(), PollFlags::IN),
                PollFd::from_borrowed_fd(withdrawn, PollFlags::IN),
            ];
            match poll(&mut sources, timeout.as_ref()) {
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(0) => return Ok(Event::Timeout),
                Ok(_) => {}
            }
            if !sources[1].revents().is_empty() {
                self.asking.resume()?;
                return Ok(Event::Continued);
            }
            if !sources[2].revents().is_empty() {
                self.asking.take_resize();
                return Ok(Event::Resized);
            }
            // Before an answer: it would come too late.
            if self.withdrawn.is_some() && !sources[3].revents().is_empty() {
                return Ok(Event::Withdrawn);
            }
            return Ok(Event::Input);
        }
    }
}

enum Event {
    /// Standard input can be read, or has ended.
    Input,
    /// The process was stopped and is continued.
    Continued,
    /// The size of the terminal has changed.
    Resized,
    /// The question needs no answer any more.
    Withdrawn,
    Timeout,
}

/// Returns the columns and rows of the terminal.
pub(super) fn size() -> (usize, usize) {
    let size = tcgetwinsize(io::stderr());
    let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let known = |count: u16, default: usize| match count {
        0 => default,
        count => count.into(),
    };
    (known(columns, 80), known(rows, 24))
}

fn unreadable(error: impl Into<io::Error>) -> CliError {
    CliError::new(
        Kind::Failure,
        format!("the terminal cannot be read: {}", error.into()),
    )
}

use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::mpsc::Sender;
use std::thread;

use libc::siginfo_t;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, getpid, waitid};

use super::Event;
use crate::exit::Exit;
use crate::inherited::SIGNALS;

/// Signals that cannot be handled, or that say that this process has failed. The C library keeps 32
/// and 33 for itself.
const OWN: [i32; 9] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGSYS,
    32,
    33,
];

/// A signal that this process has received.
#[derive(Clone, Copy)]
pub(super) struct Signal {
    number: i32,
    /// Whether another process has sent it. The kernel sends signals of the terminal to the child
    /// as well.
    is_sent: bool,
}

impl Signal {
    /// Returns whether it would have ended a process that handles no signals.
    pub(super) fn ends(self) -> bool {
        ![
            libc::SIGCHLD,
            libc::SIGCONT,
            libc::SIGTSTP,
            libc::SIGTTIN,
            libc::SIGTTOU,
            libc::SIGURG,
            libc::SIGWINCH,
        ]
        .contains(&self.number)
    }
}

/// A change of the child.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Stopped(i32),
    Continued,
    Exited(u8),
    Killed(i32),
}

impl Change {
    /// The end of a child that another process has waited for.
    pub(super) const LOST: Self = Self::Exited(1);

    pub(super) fn is_end(self) -> bool {
        matches!(self, Self::Exited(_) | Self::Killed(_))
    }

    fn of(status: &WaitIdStatus) -> Option<Self> {
        let code = |code: Option<i32>| code.and_then(|code| u8::try_from(code & 0xff).ok());
        if status.exited() {
            return code(status.exit_status()).map(Self::Exited);
        }
        if let Some(signal) = status.terminating_signal() {
            return Some(Self::Killed(signal));
        }
        match status.stopping_signal() {
            Some(signal) => Some(Self::Stopped(signal)),
            None => status.continued().then_some(Self::Continued),
        }
    }
}

/// Receives every signal that can be handled.
pub(super) struct Signals(());

impl Signals {
    pub(super) fn receive(events: Sender<Event>) -> io::Result<Self> {
        let (mut reader, writer) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        let pipe = writer.as_raw_fd();
        let own = getpid().as_raw_pid();
        for number in (1..=SIGNALS).filter(|number| !OWN.contains(number)) {
            let handler = move |info: &siginfo_t| {
                let signal = [number as u8, u8::from(is_sent(info, own))];
                #[expect(unsafe_code, reason = "a handler may not use the library")]
                // SAFETY: `write` is safe in a handler, and the descriptor is never closed.
                unsafe {
                    libc::write(pipe, signal.as_ptr().cast(), signal.len());
                }
            };
            #[expect(unsafe_code, reason = "only this registration gives the sender")]
            // SAFETY: the handler only calls `write`.
            let registered = unsafe { signal_hook_registry::register_sigaction(number, handler) };
            // A system may not have every number.
            drop(registered);
        }
        // The handlers write to it until the process ends.
        std::mem::forget(writer);
        thread::spawn(move || {
            let mut signal = [0; 2];
            while reader.read_exact(&mut signal).is_ok() {
                let [number, is_sent] = signal;
                let _ = events.send(Event::Signal(Signal {
                    number: number.into(),
                    is_sent: is_sent == 1,
                }));
            }
        });
        Ok(Self(()))
    }

    /// Sends the child a signal that another process has sent to this one.
    pub(super) fn pass_on(&self, signal: Signal, child: u32) {
        if signal.is_sent {
            #[expect(unsafe_code, reason = "the safe function takes named signals only")]
            // SAFETY: `kill` changes no memory of this process.
            unsafe {
                libc::kill(child.cast_signed(), signal.number);
            }
        }
    }

    /// Stops this process after the child has stopped, so that the shell shows that. Returns once it
    /// is continued.
    pub(super) fn stop_like(&self, change: Change) {
        if let Change::Stopped(signal) = change {
            with_default(signal, raise);
        }
    }

    /// Ends this process by the signal that has ended the child, or returns its exit code.
    pub(super) fn end_like(&self, end: Change) -> Exit {
        match end {
            Change::Killed(signal) => {
                with_default(signal, raise);
                // The first process of a container is not ended by signals.
                Exit::Program(128_u8.saturating_add(u8::try_from(signal).unwrap_or(127)))
            }
            Change::Exited(code) => Exit::Program(code),
            Change::Stopped(_) | Change::Continued => Exit::Program(1),
        }
    }
}

/// Returns whether a process has sent a signal, and not the kernel or this process itself.
fn is_sent(info: &siginfo_t, own: i32) -> bool {
    #[expect(unsafe_code, reason = "the field is part of a union")]
    // SAFETY: signals without a sender have 0 there.
    let sender = unsafe { info.si_pid() };
    // A sender outside of this container has the number 0 on Linux.
    let is_of_process = match cfg!(target_os = "linux") {
        true => info.si_code <= 0,
        false => sender != 0 && info.si_signo != libc::SIGCHLD,
    };
    is_of_process && sender != own
}

/// Sends a signal to this thread.
fn raise(signal: i32) {
    #[expect(unsafe_code, reason = "the safe function takes named signals only")]
    // SAFETY: `raise` changes no memory of this process.
    unsafe {
        libc::raise(signal);
    }
}

/// Calls `act` while a signal has its default effect and is not blocked.
fn with_default(signal: i32, act: fn(i32)) {
    let mut before = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    let mut mask = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    let mut default = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    #[expect(unsafe_code, reason = "no safe function resets a signal")]
    // SAFETY: all three are plain data, of which zeros are a valid value, and outlive the calls;
    // zeros are also the default effect, without flags.
    unsafe {
        libc::sigaction(signal, default.as_mut_ptr(), before.as_mut_ptr());
        let mut only = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(only.as_mut_ptr());
        libc::sigaddset(only.as_mut_ptr(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, only.as_ptr(), mask.as_mut_ptr());
    }
    act(signal);
    #[expect(unsafe_code, reason = "no safe function sets a signal")]
    // SAFETY: both values were written above.
    unsafe {
        libc::sigaction(signal, before.as_ptr(), std::ptr::null_mut());
        libc::pthread_sigmask(libc::SIG_SETMASK, mask.as_ptr(), std::ptr::null_mut());
    }
}

/// Reports every change of the child.
pub(super) fn watch(child: Child, events: Sender<Event>) {
    let pid = Pid::from_child(&child);
    thread::spawn(move || {
        // The end stays with the kernel, so that the number of the child is not used again.
        let any = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED;
        loop {
            let change = match waitid(WaitId::Pid(pid), any | WaitIdOptions::NOWAIT) {
                Ok(Some(status)) => Change::of(&status),
                Ok(None) | Err(rustix::io::Errno::INTR) => continue,
                Err(_) => Some(Change::LOST),
            };
            let Some(change) = change else { continue };
            let is_end = change.is_end();
            if events.send(Event::Child(change)).is_err() || is_end {
                return;
            }
            let seen = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED | WaitIdOptions::NOHANG;
            let _ = waitid(WaitId::Pid(pid), seen);
        }
    });
}

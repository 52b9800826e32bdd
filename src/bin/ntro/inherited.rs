//! What this process has inherited and changes before `main`: standard streams that are closed, which
//! Rust's runtime opens, and ignored signals. A program that replaces this one gets them back.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::FdFlags;

/// Whether each standard stream was closed.
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
/// Whether `SIGPIPE` was ignored: the runtime ignores it.
static IGNORES_PIPE: AtomicBool = AtomicBool::new(false);
/// Whether `SIGCHLD` was ignored: the kernel then forgets each child that ends, and waiting for one
/// fails.
static IGNORES_CHILD: AtomicBool = AtomicBool::new(false);

/// The highest number of a signal.
pub(crate) const SIGNALS: i32 = 64;

/// Makes the loader call [`record`] before the runtime starts.
#[used]
#[expect(
    unsafe_code,
    reason = "the runtime has no hook before its own initialisation"
)]
// SAFETY: the section holds pointers to functions of this type, which are called once before `main`.
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
// SAFETY: as above.
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = record;

extern "C" fn record() {
    let mut streams = [0, 1, 2].map(|fd| libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    });
    #[expect(unsafe_code, reason = "a closed descriptor has no safe type")]
    // SAFETY: the array has three elements, and `poll` writes to nothing else.
    let polled = unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) };
    if polled > 0 {
        for (stream, closed) in streams.iter().zip(&CLOSED) {
            closed.store(stream.revents & libc::POLLNVAL != 0, Ordering::Relaxed);
        }
    }
    IGNORES_PIPE.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    if is_ignored(libc::SIGCHLD) {
        IGNORES_CHILD.store(true, Ordering::Relaxed);
        #[expect(unsafe_code, reason = "no safe function resets a signal")]
        // SAFETY: the default action of this signal runs no code.
        unsafe {
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        }
    }
}

/// Returns whether a signal is ignored now.
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    #[expect(unsafe_code, reason = "no safe function queries a signal")]
    // SAFETY: without a new action, `sigaction` only writes the old one, of which zeros are a valid
    // value.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}

/// Returns whether a standard stream was closed when the process started.
pub(crate) fn is_closed(descriptor: usize) -> bool {
    CLOSED
        .get(descriptor)
        .is_some_and(|closed| closed.load(Ordering::Relaxed))
}

/// The signals that were ignored when the process started. Must be recorded before a question is
/// asked, which handles some of them.
pub(crate) struct Ignored(Vec<i32>);

impl Ignored {
    pub(crate) fn record() -> Self {
        let was_ignored = |&signal: &i32| match signal {
            libc::SIGPIPE => IGNORES_PIPE.load(Ordering::Relaxed),
            libc::SIGCHLD => IGNORES_CHILD.load(Ordering::Relaxed),
            signal => is_ignored(signal),
        };
        Self((1..=SIGNALS).filter(was_ignored).collect())
    }

    /// Lets a program start with the inherited standard streams and ignored signals.
    pub(crate) fn restore_in(self, command: &mut Command) {
        let standard = [
            rustix::stdio::stdin(),
            rustix::stdio::stdout(),
            rustix::stdio::stderr(),
        ];
        for (descriptor, stream) in standard.into_iter().enumerate() {
            if is_closed(descriptor) {
                // The program starts without it.
                let _ = rustix::io::fcntl_setfd(stream, FdFlags::CLOEXEC);
            }
        }
        let ignore = move || {
            for &signal in &self.0 {
                #[expect(unsafe_code, reason = "no safe function ignores a signal")]
                // SAFETY: ignoring a signal runs no code.
                unsafe {
                    libc::signal(signal, libc::SIG_IGN);
                }
            }
            Ok(())
        };
        #[expect(unsafe_code, reason = "`Command` itself resets `SIGPIPE`")]
        // SAFETY: the closure only calls `signal`, which is safe between `fork` and `exec`.
        unsafe {
            command.pre_exec(ignore);
        }
    }
}

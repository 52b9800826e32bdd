//! `ntro exec --mask`: runs the program as a child process and redacts the key in its output.
//!
//! The child is in the same process group and has the same terminal, standard input and open files.
//! So the kernel sends it the signals of the terminal (Ctrl-C, Ctrl-Z, a new window size) itself,
//! and `ntro` passes on those that were sent to `ntro` alone. It stops when the child stops, and ends
//! as the child ends.

mod output;
#[cfg_attr(not(unix), path = "signals_windows.rs")]
mod signals;

use std::io;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use ntro_base::ApiKey;
use ntro_client::redact::Redactor;

use self::output::Output;
use self::signals::{Change, Signal, Signals};
use crate::context::Context;
use crate::exit::Exit;
use crate::interrupt;
use crate::process::{forbid_cores, with_users_limits};

/// Events while the program runs.
#[cfg_attr(not(unix), allow(dead_code, reason = "this system has no signals"))]
enum Event {
    /// This process has received a signal.
    Signal(Signal),
    /// The child has stopped, continued or ended.
    Child(Change),
    /// A stream of the child's output has ended.
    Drained,
}

pub(super) fn run(mut command: Command, key: &ApiKey, cx: &Context) -> io::Result<Exit> {
    interrupt::leave_all();
    let (events, received) = channel();
    let signals = Signals::receive(events.clone())?;
    let output = Output::redirect(&mut command)?;
    let child = with_users_limits(|| command.spawn())?;
    // The child is the user's, this process is not.
    forbid_cores();
    // Closes the child's ends of the pipes.
    drop(command);
    let streams = output.redact(&Redactor::new(key), &events, cx.printer());
    let id = child.id();
    signals::watch(child, events);
    let end = follow(id, &signals, &received, streams);
    Ok(signals.end_like(end))
}

/// Follows the child until it has ended and its output is written. What it has left running may
/// hold the output open for longer, which a signal ends.
fn follow(child: u32, signals: &Signals, events: &Receiver<Event>, streams: usize) -> Change {
    let mut open = streams;
    let mut end = None;
    while end.is_none() || open > 0 {
        // A sender lives in the handler of signals.
        let Ok(event) = events.recv() else {
            break;
        };
        match event {
            Event::Signal(signal) if end.is_none() => signals.pass_on(signal, child),
            Event::Signal(signal) if signal.ends() => break,
            Event::Signal(_) => {}
            Event::Child(change) if change.is_end() => end = Some(change),
            Event::Child(change) => signals.stop_like(change),
            Event::Drained => open -= 1,
        }
    }
    end.unwrap_or(Change::LOST)
}

//! Who decides on the calls that `--ask` names.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};

use ntro_client::proxy::{Approver, Rules};
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;
use tokio::sync::oneshot;

use super::approve::answer;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::Paint;
use crate::prompt::is_interactive;

/// Returns who decides, and a future that is done when a person leaves a question with Ctrl-C.
///
/// In the foreground of a terminal, this process asks there.
pub(super) fn approver(
    rules: &Rules,
    cx: &Context,
) -> Result<(Approver, impl Future<Output = ()> + use<>), CliError> {
    let (leave, left) = oneshot::channel();
    let approver = match rules.ask.is_empty() {
        true => Approver::None,
        false if is_interactive(cx.global().no_interactive) && is_foreground() => {
            let (calls, waiting) = channel();
            let paint = cx.printer().stderr_paint();
            let thread = std::thread::Builder::new().name("approver".to_owned());
            let started = thread.spawn(move || answer_all(&waiting, paint, leave));
            started.map_err(|error| {
                CliError::new(Kind::Failure, format!("cannot start a thread: {error}"))
            })?;
            Approver::Terminal(calls)
        }
        false => elsewhere(cx)?,
    };
    Ok((approver, async {
        // Without a person, the sender is dropped.
        if left.await.is_err() {
            std::future::pending().await
        }
    }))
}

#[cfg(target_os = "linux")]
fn elsewhere(cx: &Context) -> Result<Approver, CliError> {
    // The programs are likely to be started on the same terminal.
    Ok(Approver::socket(cx.home()?.approver(), std::process::id()))
}

#[cfg(not(target_os = "linux"))]
fn elsewhere(_: &Context) -> Result<Approver, CliError> {
    Err(CliError::usage("`--ask` needs a terminal to ask on")
        .hint("run `ntro proxy` in the foreground, without `--no-interactive`"))
}

/// Answers until a person leaves.
fn answer_all(waiting: &Receiver<UnixStream>, paint: Paint, leave: oneshot::Sender<()>) {
    for stream in waiting {
        // In the background, reading the terminal would stop the process. The call is refused.
        if is_foreground() && answer(stream, paint).is_err() {
            // The proxy may have ended already.
            let _ = leave.send(());
            return;
        }
    }
}

/// Returns whether the terminal sends its input to this process.
fn is_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

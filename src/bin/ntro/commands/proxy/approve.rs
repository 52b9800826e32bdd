//! `ntro proxy approve`: a person decides on calls.

use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::time::Duration;

use ntro_base::printable;
use ntro_client::proxy::{ApprovalMessage, AskedCall, PendingAnswer};
use tokio::runtime::Builder;

use super::super::listening::shutdown;
use super::listener::bind_private;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Paint, plain};
use crate::prompt::{confirm_until, is_interactive, show};

/// The pause after a call was withdrawn, in which input is discarded: it was not for the next one.
const PAUSE: Duration = Duration::from_secs(1);

/// More characters than the longest target has.
const LONGEST: usize = 4_096;

/// Decide on the calls that `--ask` stops, one after another
///
/// Shows each call of this user's proxies with its program, server and connection, but without its
/// body. A call is refused while this command does not run, and after a minute without an answer. An
/// answer counts only from another terminal than that of the program. Ctrl-C leaves, and refuses the
/// calls that wait.
#[derive(clap::Args, Debug)]
pub(super) struct ApproveArgs {}

pub(super) fn run(_: &ApproveArgs, cx: &Context) -> Result<Exit, CliError> {
    if !cfg!(target_os = "linux") {
        return Err(CliError::usage("`ntro proxy approve` is for Linux")
            .hint("`ntro proxy --ask` in the foreground asks on its own terminal"));
    }
    let no_interactive = cx.global().no_interactive;
    if !is_interactive(no_interactive) {
        let why = match no_interactive {
            true => "`--no-interactive` is given",
            false => "standard input and standard error are not both a terminal",
        };
        return Err(CliError::usage("calls are approved on a terminal").hint(why));
    }
    let home = cx.home()?;
    let runtime = crate::runtime::build(&mut Builder::new_current_thread())?;
    runtime.block_on(async {
        let mut shutdown = pin!(shutdown()?);
        let bound = {
            // Creates the folder, and keeps a second process from the same socket.
            let _lock = home.lock().map_err(ntro_client::config::Error::from)?;
            bind_private(home.approver())
        };
        let (listener, _socket) = bound.map_err(|error| match error.kind {
            Kind::Conflict => {
                CliError::new(Kind::Conflict, "another `ntro proxy approve` is running")
                    .hint("answer there, or end it")
            }
            _ => error,
        })?;
        cx.printer()
            .note("Waiting for calls that need approval. Ctrl-C leaves.");
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => return Ok(Exit::Success),
                accepted = listener.accept() => accepted,
            };
            let stream = accepted.and_then(|(stream, _)| stream.into_std());
            let stream = stream
                .map_err(|error| CliError::new(Kind::Failure, format!("cannot listen: {error}")))?;
            match answer(stream, cx.printer().stderr_paint()) {
                Ok(()) => {}
                Err(error) if error.kind == Kind::Interrupted => return Ok(Exit::Success),
                Err(error) => return Err(error),
            }
        }
    })
}

/// Answers one proxy. Fails if the person leaves.
pub(super) fn answer(stream: UnixStream, paint: Paint) -> Result<(), CliError> {
    let (pending, call) = match PendingAnswer::receive(stream) {
        Ok((pending, ApprovalMessage::Call(call))) => (pending, call),
        Ok((_, ApprovalMessage::Rejected { program, reason })) => {
            let message = format!("A call of `{program}` was refused: {reason}.");
            show(&printable(&message, LONGEST));
            return Ok(());
        }
        Err(error) => {
            tracing::debug!(%error, "a connection brought no question");
            return Ok(());
        }
    };
    if pending.is_withdrawn() {
        return Ok(());
    }
    for line in lines(&call, paint) {
        show(&line);
    }
    let answered = confirm_until(&pending, "Forward this call?", paint)?;
    match answered.map(|is_allowed| pending.answer(is_allowed)) {
        Some(Ok(())) => {}
        Some(Err(_)) | None => {
            show("The call was withdrawn: the program has gone, or the time is over.");
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// Describes a call. All of it but the rule and the server is the program's text.
fn lines(call: &AskedCall, paint: Paint) -> Vec<String> {
    let shown = |text: &str| printable(text, LONGEST);
    let process = call
        .pid
        .map_or_else(String::new, |pid| format!(" (process {pid})"));
    let connection = call.connection.as_deref().unwrap_or("none");
    vec![
        String::new(),
        format!("`{}`{process} wants to call", shown(&call.program)),
        format!(
            "  {} {}",
            paint.bold(&shown(&call.method)),
            paint.bold(&shown(&call.target))
        ),
        format!("  server      {}", plain(&call.server)),
        format!("  connection  {}", plain(connection)),
        format!("  rule        --ask '{}'", plain(&call.rule)),
    ]
}

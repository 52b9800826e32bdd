#[cfg(unix)]
use std::io;
#[cfg(target_os = "linux")]
use std::path::PathBuf;
#[cfg(unix)]
use std::sync::mpsc::Sender;

#[cfg(unix)]
use tokio::net::UnixStream;

#[cfg(unix)]
use super::question::{ApprovalMessage, AskedCall, YES};
#[cfg(target_os = "linux")]
use super::terminal::ProgramTerminal;

/// Where the questions of a proxy are answered.
#[derive(Debug, Default)]
pub enum Approver {
    /// Nowhere: calls that need an answer are refused.
    #[default]
    None,
    /// On a terminal of this process.
    #[cfg(unix)]
    Terminal(Sender<std::os::unix::net::UnixStream>),
    /// By another process, which listens on a socket.
    #[cfg(target_os = "linux")]
    Socket(ApproverSocket),
}

/// The socket of a process that answers.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct ApproverSocket {
    path: PathBuf,
    program: ProgramTerminal,
}

/// Why a call is not approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Unapproved {
    /// A person has refused it.
    #[cfg(unix)]
    Refused,
    /// No process takes questions.
    Absent,
    /// The process that takes questions has ended.
    #[cfg(unix)]
    Left,
    /// The process that takes questions may not answer.
    #[cfg(target_os = "linux")]
    Rejected(&'static str),
}

#[cfg(target_os = "linux")]
impl Approver {
    /// Answers come over the socket at `path`, from a process that has a terminal. The terminal
    /// that the process `program` has now or has later is not allowed.
    #[must_use]
    pub fn socket(path: PathBuf, program: u32) -> Self {
        Self::Socket(ApproverSocket {
            path,
            program: ProgramTerminal::of(program),
        })
    }
}

#[cfg(unix)]
impl Approver {
    /// Asks, and waits for the answer. Dropping the future withdraws the question.
    pub(in crate::proxy) async fn ask(&self, call: AskedCall) -> Result<(), Unapproved> {
        let stream = match self {
            Self::None => return Err(Unapproved::Absent),
            Self::Terminal(calls) => pass_on(calls).map_err(|_| Unapproved::Absent)?,
            #[cfg(target_os = "linux")]
            Self::Socket(socket) => socket.connect(&call.program).await?,
        };
        let sent = send(&stream, &ApprovalMessage::Call(call)).await;
        sent.map_err(|_| Unapproved::Left)?;
        match read_byte(&stream).await {
            Ok(Some(YES)) => Ok(()),
            Ok(Some(_)) => Err(Unapproved::Refused),
            Ok(None) | Err(_) => Err(Unapproved::Left),
        }
    }
}

#[cfg(target_os = "linux")]
impl ApproverSocket {
    async fn connect(&self, program: &str) -> Result<UnixStream, Unapproved> {
        let stream = UnixStream::connect(&self.path).await;
        let stream = stream.map_err(|_| Unapproved::Absent)?;
        let Err(reason) = self.program.check(&stream) else {
            return Ok(stream);
        };
        let message = ApprovalMessage::Rejected {
            program: program.to_owned(),
            reason: reason.to_owned(),
        };
        // The program gets the reason in any case.
        let _ = send(&stream, &message).await;
        Err(Unapproved::Rejected(reason))
    }
}

/// Passes one end of a connection to a thread of this process.
#[cfg(unix)]
fn pass_on(calls: &Sender<std::os::unix::net::UnixStream>) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let sent = calls.send(theirs.into_std()?);
    sent.map_err(io::Error::other).map(|()| ours)
}

#[cfg(unix)]
async fn send(stream: &UnixStream, message: &ApprovalMessage) -> io::Result<()> {
    let line = message.line()?;
    let mut rest = &line[..];
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a byte; `None` at the end.
#[cfg(unix)]
async fn read_byte(stream: &UnixStream) -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

/// Longer than any message.
const LONGEST: usize = 64 << 10;
/// The answers on the wire.
pub(super) const YES: u8 = b'y';
const NO: u8 = b'n';

/// A call that a program wants to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedCall {
    /// The name of the program.
    pub program: String,
    /// Its process id, where it is known.
    pub pid: Option<u32>,
    /// The method.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// The rule that needs an answer.
    pub rule: String,
    /// The base URL of the server.
    pub server: String,
    /// The name of the connection, if it has one.
    pub connection: Option<String>,
}

/// Sent by a proxy to the process of a person.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalMessage {
    /// A call waits for an answer.
    Call(AskedCall),
    /// A call was refused, since this process may not answer.
    Rejected {
        /// The name of the program.
        program: String,
        /// Why it may not answer.
        reason: String,
    },
}

impl ApprovalMessage {
    /// Returns the message as a line.
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// A connection of a proxy that waits for an answer. Dropping it leaves the call undecided, which
/// refuses it.
#[derive(Debug)]
pub struct PendingAnswer(UnixStream);

impl PendingAnswer {
    /// Receives the message of a proxy.
    ///
    /// # Errors
    ///
    /// Fails if no message arrives within a few seconds.
    pub fn receive(mut stream: UnixStream) -> io::Result<(Self, ApprovalMessage)> {
        const TIMEOUT: Duration = Duration::from_secs(5);

        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let mut line = Vec::new();
        let mut buffer = [0; 4096];
        while !line.ends_with(b"\n") {
            match stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read if line.len() + read <= LONGEST => line.extend_from_slice(&buffer[..read]),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        let message = serde_json::from_slice(&line)?;
        Ok((Self(stream), message))
    }

    /// Returns whether the program has gone, or the time for an answer is over.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        let mut source = [PollFd::new(&self.0, PollFlags::IN)];
        !matches!(poll(&mut source, Some(&Timespec::default())), Ok(0))
    }

    /// Sends the answer.
    ///
    /// # Errors
    ///
    /// Fails if the question was withdrawn.
    pub fn answer(mut self, is_allowed: bool) -> io::Result<()> {
        self.0.write_all(&[if is_allowed { YES } else { NO }])
    }
}

/// Becomes readable when the question is withdrawn.
impl AsFd for PendingAnswer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

use std::io::{self, IsTerminal as _, PipeReader, Read as _};
use std::process::Command;
use std::sync::mpsc::Sender;
use std::thread;

use ntro_client::redact::Redactor;
use zeroize::Zeroizing;

use super::Event;
use crate::output::Printer;

/// The most that is read at a time: the size of a pipe.
const CHUNK: usize = 64 * 1024;

/// The streams of the child that are redacted, each with the stream that it is written to.
pub(super) struct Output(Vec<(PipeReader, Stream)>);

/// A stream of this process.
#[derive(Clone, Copy)]
enum Stream {
    Out,
    Error,
}

impl Output {
    /// Redirects those streams of a command that are neither a terminal nor closed.
    pub(super) fn redirect(command: &mut Command) -> io::Result<Self> {
        let mut pipes = Vec::new();
        let (out, error) = (Stream::Out.is_redacted(), Stream::Error.is_redacted());
        if out {
            let (reader, writer) = io::pipe()?;
            if error && is_same_file() {
                // One pipe keeps the order of both.
                command.stderr(writer.try_clone()?);
            }
            command.stdout(writer);
            pipes.push((reader, Stream::Out));
        }
        if error && !(out && is_same_file()) {
            let (reader, writer) = io::pipe()?;
            command.stderr(writer);
            pipes.push((reader, Stream::Error));
        }
        Ok(Self(pipes))
    }

    /// Copies each stream on a thread, which reports its end. Returns their number.
    pub(super) fn redact(
        self,
        redactor: &Redactor,
        events: &Sender<Event>,
        printer: &Printer,
    ) -> usize {
        let streams = self.0.len();
        for (pipe, stream) in self.0 {
            let mut redactor = redactor.for_another_stream();
            let (events, printer) = (events.clone(), printer.clone());
            thread::spawn(move || {
                // Returning closes the pipe, so that the child's next write fails as its own would.
                if let Err(error) = copy(pipe, stream, &mut redactor)
                    && error.kind() != io::ErrorKind::BrokenPipe
                {
                    printer.warn(&format!("the output of the program is lost: {error}"));
                }
                let _ = events.send(Event::Drained);
            });
        }
        streams
    }
}

fn copy(mut from: PipeReader, to: Stream, redactor: &mut Redactor) -> io::Result<()> {
    let mut bytes = Zeroizing::new(vec![0; CHUNK]);
    let mut out = Vec::with_capacity(CHUNK);
    loop {
        let length = match from.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            length => length?,
        };
        if length == 0 {
            redactor.finish(&mut out);
            return to.write(&out);
        }
        if redactor.passes(&bytes[..length]) {
            to.write(&bytes[..length])?;
            continue;
        }
        redactor.push(&bytes[..length], &mut out);
        to.write(&out)?;
        out.clear();
    }
}

#[cfg(unix)]
impl Stream {
    fn is_redacted(self) -> bool {
        let (descriptor, is_terminal) = match self {
            Self::Out => (1, io::stdout().is_terminal()),
            Self::Error => (2, io::stderr().is_terminal()),
        };
        !is_terminal && !crate::inherited::is_closed(descriptor)
    }

    /// Writes everything, past the buffers of the library.
    fn write(self, mut bytes: &[u8]) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, poll};
        use rustix::io::Errno;

        let stream = match self {
            Self::Out => rustix::stdio::stdout(),
            Self::Error => rustix::stdio::stderr(),
        };
        while !bytes.is_empty() {
            match rustix::io::write(stream, bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                // The pipe is shared with a process that has made it non-blocking.
                Err(Errno::AGAIN) => {
                    let mut writable = [PollFd::new(&stream, PollFlags::OUT)];
                    let _ = poll(&mut writable, None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(not(unix))]
impl Stream {
    fn is_redacted(self) -> bool {
        match self {
            Self::Out => !io::stdout().is_terminal(),
            Self::Error => !io::stderr().is_terminal(),
        }
    }

    fn write(self, bytes: &[u8]) -> io::Result<()> {
        let mut stream: Box<dyn io::Write> = match self {
            Self::Out => Box::new(io::stdout()),
            Self::Error => Box::new(io::stderr()),
        };
        io::Write::write_all(&mut stream, bytes)?;
        io::Write::flush(&mut stream)
    }
}

/// Returns whether standard output and standard error are one file.
#[cfg(unix)]
fn is_same_file() -> bool {
    let identity = |stream| {
        let file = rustix::fs::fstat(stream).ok()?;
        Some((file.st_dev, file.st_ino))
    };
    let out = identity(rustix::stdio::stdout());
    out.is_some() && out == identity(rustix::stdio::stderr())
}

/// Always `false`: the order of two pipes is not kept on this system.
#[cfg(not(unix))]
fn is_same_file() -> bool {
    false
}

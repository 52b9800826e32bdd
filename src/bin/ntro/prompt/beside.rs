//! A question on the terminal of the session, while standard input and output carry a protocol.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};

use super::yes_or_no;

/// Asks a yes-or-no question. Fails without a terminal.
pub(crate) fn confirm_beside(question: &str) -> io::Result<bool> {
    let (input, mut output) = terminal()?;
    let mut lines = BufReader::new(input).lines();
    loop {
        write!(output, "{question} (y/n) ")?;
        output.flush()?;
        let answer = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
        if let Some(answer) = yes_or_no(&answer) {
            return Ok(answer);
        }
    }
}

#[cfg(unix)]
fn terminal() -> io::Result<(File, File)> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    Ok((terminal.try_clone()?, terminal))
}

#[cfg(windows)]
fn terminal() -> io::Result<(File, File)> {
    let open = |name| OpenOptions::new().read(true).write(true).open(name);
    Ok((open("CONIN$")?, open("CONOUT$")?))
}

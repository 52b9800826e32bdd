use std::io::{self, Write as _};

use serde::Serialize;

/// Prints a value as a line of JSON.
pub(super) fn print_line(value: &impl Serialize) -> io::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, value)?;
    output.write_all(b"\n")?;
    output.flush()
}

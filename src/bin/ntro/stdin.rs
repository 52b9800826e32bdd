//! Secrets on standard input.

use std::io::{self, IsTerminal as _, Read};

use zeroize::Zeroizing;

use crate::error::CliError;

/// More than any key or token.
const LONGEST: usize = 64 * 1024;

/// Reads a secret to the end of standard input, which `option` says it comes from.
pub(crate) fn secret(what: &str, option: &str) -> Result<Zeroizing<String>, CliError> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(CliError::usage(format!(
            "standard input is a terminal, which would show the {what}"
        ))
        .hint(format!("leave `{option}` out, or pipe the {what} in")));
    }
    let text = read(stdin.lock()).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => not_utf8(what),
        _ => CliError::usage(format!("standard input cannot be read: {error}"))
            .hint(format!("pipe the {what} in: `{option} < FILE`")),
    })?;
    // ASCII as UTF-16 without its mark is valid UTF-8.
    if text.contains('\0') {
        return Err(not_utf8(what));
    }
    if text.len() > LONGEST {
        return Err(CliError::usage(format!(
            "standard input has more than {LONGEST} bytes, which no {what} has"
        ))
        .hint(format!("pipe the {what} in, and nothing else")));
    }
    Ok(text)
}

fn not_utf8(what: &str) -> CliError {
    CliError::usage("standard input is not UTF-8 text; it may be UTF-16, as some editors save it")
        .hint(format!(
            "save the {what} as UTF-8, or paste it on a terminal"
        ))
}

/// Reads at most one byte more than any secret has.
fn read(input: impl Read) -> io::Result<Zeroizing<String>> {
    // Large enough from the start: a buffer that grows leaves copies behind, as does the one that
    // standard input has for short reads.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST + 1));
    input.take(LONGEST as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_input_is_never_moved() {
        for length in [0, 40, 10_000, LONGEST, LONGEST + 1, LONGEST + 2] {
            let text = read("x".repeat(length).as_bytes()).unwrap();
            assert_eq!(text.len(), length.min(LONGEST + 1));
            assert_eq!(text.capacity(), LONGEST + 1, "{length}");
        }
    }
}

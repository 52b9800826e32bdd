//! Secrets on standard input.

use std::io::{IsTerminal as _, Read as _};

use zeroize::Zeroizing;

use crate::error::CliError;

/// More than any key or token.
const LONGEST: u64 = 64 * 1024;

/// Reads a secret to the end of standard input, which `option` says it comes from.
pub(crate) fn secret(what: &str, option: &str) -> Result<Zeroizing<String>, CliError> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(CliError::usage(format!(
            "standard input is a terminal, which would show the {what}"
        ))
        .hint(format!("leave `{option}` out, or pipe the {what} in")));
    }
    let mut text = Zeroizing::new(String::new());
    stdin
        .lock()
        .take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| {
            CliError::usage(format!("standard input cannot be read: {error}"))
                .hint(format!("pipe the {what} in: `{option} < FILE`"))
        })?;
    if text.len() as u64 > LONGEST {
        return Err(CliError::usage(format!(
            "standard input has more than {LONGEST} bytes, which no {what} has"
        ))
        .hint(format!("pipe the {what} in, and nothing else")));
    }
    Ok(text)
}

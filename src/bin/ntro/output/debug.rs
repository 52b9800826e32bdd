//! `--debug`: the library's events on standard error.

use std::io::{self, Write};

use ntro_base::printable;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. Dependencies stay silent: their events may contain keys.
pub(crate) fn install() {
    install_from(Level::DEBUG);
}

/// Logs the events that a server operator must see, unless `--debug` logs everything.
#[cfg(feature = "authority")]
pub(crate) fn install_for_server(debug: bool) {
    if !debug {
        install_from(Level::INFO);
    }
}

fn install_from(level: Level) {
    let ours = Targets::new().with_target("ntro", level);
    let lines = fmt::layer()
        .with_writer(|| EscapedStderr)
        .with_ansi(false)
        .without_time();
    // Only a test in this process can call this twice, and it has its own subscriber.
    let _ = tracing_subscriber::registry()
        .with(ours)
        .with(lines)
        .try_init();
}

/// Standard error, where no event can control the terminal or begin a second line.
struct EscapedStderr;

impl Write for EscapedStderr {
    /// Writes an event, which the layer formats as a whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(line(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Returns an event as one line, with its level still aligned.
fn line(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let level = text.trim_start_matches(' ');
    let margin = &text[..text.len() - level.len()];
    format!("{margin}{}\n", printable(level, usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_is_one_escaped_line() {
        let event = " INFO ntro: a\u{202e}b\n\u{1b}[2J<U+200B> c\n";
        assert_eq!(
            line(event.as_bytes()),
            " INFO ntro: a<U+202E>b <U+001B>[2J<U+200B> c\n"
        );
    }
}

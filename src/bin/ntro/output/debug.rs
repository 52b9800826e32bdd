//! `--debug`: the library's events on standard error.

use std::io::{self, Write};

#[cfg(feature = "authority")]
use ntro_authority::LogQueue;
use ntro_base::printable;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{DefaultFields, Full};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layered, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

/// Starts logging. Dependencies stay silent: their events may contain keys.
pub(crate) fn install() {
    install_from(Level::DEBUG, lines(|| EscapedStderr));
}

/// Format of a server's logs.
#[cfg(feature = "authority")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Lines for people
    Text,
    /// A JSON object per line, with the time
    Json,
}

/// Logs the events that a server operator must see, through a queue that never delays a request,
/// unless `--debug` logs everything.
#[cfg(feature = "authority")]
pub(crate) fn install_for_server(debug: bool, format: Format, queue: LogQueue) {
    if debug {
        return;
    }
    let writer = move || Queued(queue.clone());
    match format {
        Format::Text => install_from(Level::INFO, lines(writer)),
        Format::Json => install_from(Level::INFO, fmt::layer().with_writer(writer).json()),
    }
}

fn lines<W: for<'a> MakeWriter<'a> + 'static>(
    writer: W,
) -> fmt::Layer<Events, DefaultFields, fmt::format::Format<Full, ()>, W> {
    let lines = fmt::layer().with_writer(writer);
    lines.with_ansi(false).without_time()
}

/// The registry below the layer of lines.
type Events = Layered<Targets, Registry>;

fn install_from(level: Level, lines: impl Layer<Events> + Send + Sync) {
    let ours = Targets::new().with_target("ntro", level);
    // Only a test in this process can call this twice, and it has its own subscriber.
    let _ = tracing_subscriber::registry()
        .with(ours)
        .with(lines)
        .try_init();
}

/// The queue of a server's logs, with lines as on [`EscapedStderr`].
#[cfg(feature = "authority")]
struct Queued(LogQueue);

#[cfg(feature = "authority")]
impl Write for Queued {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.push(line(event).into_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

//! Prints results on standard output and everything else on standard error.

pub(crate) mod debug;
mod fields;
pub(crate) mod json;
pub(crate) mod progress;
mod table;
mod terminal;

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use ntro_base::env::{self, Env};
use ntro_base::{is_printable, printable};
use serde::Serialize;
use zeroize::Zeroizing;

pub(crate) use fields::Fields;
pub(crate) use table::{Column, Table};
pub(crate) use terminal::terminal_height;

use crate::cli::{Format, Global, When};
use crate::error::CliError;
use crate::exit::Kind;

/// Escapes invisible characters and terminal control sequences in text of any origin, such as a file
/// edited by hand. All text for people passes through here before colour is added.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    match is_printable(text) {
        true => text.into(),
        false => printable(text, usize::MAX).into(),
    }
}

/// Returns a time without the fraction of its second, as every result shows it.
pub(crate) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// A result, printed as JSON or as text from the same value.
pub(crate) trait Report: Serialize {
    /// Returns the text for people; it ends in a newline unless it is empty.
    fn text(&self, paint: Paint) -> String;
}

/// Adds colour if enabled, and fits text to the terminal. Colour never carries meaning alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    colour: bool,
    width: Width,
}

/// The width of tables.
#[derive(Clone, Copy, Debug)]
enum Width {
    /// That of the terminal, or `COLUMNS` where there is none.
    Terminal { columns: Option<usize> },
    /// As wide as the rows are.
    Natural,
}

impl Paint {
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self {
            colour: false,
            width: Width::Natural,
        }
    }

    /// Returns the width that tables must fit.
    fn width(self) -> Option<usize> {
        match self.width {
            Width::Terminal { columns } => terminal::width().or(columns),
            Width::Natural => None,
        }
    }

    /// Returns a line that begins with a mark of one column, wrapped between words.
    pub(crate) fn marked(self, mark: &str, text: &str) -> String {
        let room = self
            .width()
            .map_or(usize::MAX, |width| width.saturating_sub(2));
        format!("{mark} {}\n", table::wrapped(text, room).join("\n  "))
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default(), text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }
}

/// Prints in the chosen format, colour and verbosity.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    format: Format,
    quiet: bool,
    stdout: Paint,
    stderr: Paint,
}

impl Printer {
    pub(crate) fn new(global: &Global, env: &Env) -> Self {
        let dumb = env.text(&env::TERM) == Ok(Some("dumb"));
        let no_color = dumb || env.is_set(&env::NO_COLOR);
        let wanted = |terminal: bool| match global.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !no_color,
        };
        let columns = env.text(&env::COLUMNS).ok().flatten();
        let width = match global.wide {
            true => Width::Natural,
            false => Width::Terminal {
                columns: columns
                    .and_then(|columns| columns.parse().ok())
                    .filter(|&n| n > 0),
            },
        };
        let paint = |terminal| Paint {
            colour: wanted(terminal),
            width,
        };
        Self {
            format: global.output,
            quiet: global.quiet,
            stdout: paint(io::stdout().is_terminal()),
            stderr: paint(io::stderr().is_terminal()),
        }
    }

    pub(crate) fn stdout(&self) -> Paint {
        self.stdout
    }

    pub(crate) fn stderr_paint(&self) -> Paint {
        self.stderr
    }

    /// Returns whether to draw progress: on a terminal, without `--quiet`.
    pub(crate) fn draws_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Prints the result of a command.
    pub(crate) fn print(&self, report: &impl Report) -> Result<(), CliError> {
        self.raw(self.rendered(report)?.as_bytes())
    }

    /// Prints a result that cannot be retrieved again. A closed pipe, and a standard output that is
    /// closed or the null device, are errors here.
    pub(crate) fn reveal(&self, report: &impl Report) -> Result<(), CliError> {
        if stdout_is_discarded() {
            let message = "cannot write to standard output: it is closed, or the null device";
            return Err(CliError::new(Kind::Failure, message));
        }
        let text = Zeroizing::new(self.rendered(report)?);
        write(text.as_bytes()).map_err(|error| cannot_write(&error))
    }

    fn rendered(&self, report: &impl Report) -> Result<String, CliError> {
        match self.format {
            Format::Text => Ok(report.text(self.stdout)),
            Format::Json => match json::indented(report) {
                Ok(json) => Ok(json + "\n"),
                Err(error) => Err(CliError::new(
                    Kind::Failure,
                    format!("cannot write JSON: {error}"),
                )),
            },
        }
    }

    /// Prints a confirmation; `--quiet` omits the text.
    pub(crate) fn confirm(&self, report: &impl Report) -> Result<(), CliError> {
        if self.quiet && self.format == Format::Text {
            return Ok(());
        }
        self.print(report)
    }

    /// Writes bytes to standard output. A closed pipe is not an error.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), CliError> {
        match write(bytes) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(cannot_write(&error)),
            _ => Ok(()),
        }
    }

    /// Prints part of an endless result. Returns `false` once the reader has closed the pipe.
    pub(crate) fn stream(&self, text: &str) -> Result<bool, CliError> {
        match write(text.as_bytes()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(cannot_write(&error)),
        }
    }

    /// Prints additional information on standard error; `--quiet` omits it.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            stderr_line(&plain(text));
        }
    }

    /// Prints a warning on standard error, even with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        stderr_line(&format!("{}: {}", self.stderr.warn("warning"), plain(text)));
    }

    /// Prints the error of a command and returns its kind.
    pub(crate) fn fail(&self, error: &CliError) -> Kind {
        match self.format {
            Format::Json => json_failure(error),
            Format::Text => {
                let line =
                    |name: String, text: &str| stderr_line(&format!("{name}: {}", plain(text)));
                match error.kind {
                    // A person did that, and knows that it is no fault.
                    Kind::Interrupted => stderr_line(&plain(&error.message)),
                    _ => line(self.stderr.bad("error"), &error.message),
                }
                if let Some(hint) = &error.hint {
                    line(format!("  {}", self.stderr.bold("hint")), hint);
                }
                if let Some(id) = &error.request_id {
                    line(format!("  {}", self.stderr.bold("request id")), id);
                }
            }
        }
        error.kind
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Returns whether standard output is discarded. A closed one was reopened on the null device
/// before `main`.
#[cfg(unix)]
fn stdout_is_discarded() -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let Ok(null) = std::fs::metadata("/dev/null") else {
        return false;
    };
    rustix::fs::fstat(io::stdout()).is_ok_and(|stdout| {
        let kind = rustix::fs::FileType::from_raw_mode(stdout.st_mode);
        kind.is_char_device() && stdout.st_rdev == null.rdev()
    })
}

#[cfg(not(unix))]
fn stdout_is_discarded() -> bool {
    false
}

pub(crate) fn cannot_write(error: &io::Error) -> CliError {
    CliError::new(
        Kind::Failure,
        format!("cannot write to standard output: {error}"),
    )
}

/// Prints an error that occurs before the colour settings are known.
pub(crate) fn early_failure(error: &CliError, json: bool) {
    match json {
        true => json_failure(error),
        false => stderr_line(&format!("error: {}", plain(&error.message))),
    }
}

/// Failure of any command, one line on standard error.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Failure<'a> {
    /// Why the command failed.
    error: FailureDetails<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FailureDetails<'a> {
    /// Kind of failure.
    #[cfg_attr(test, schemars(with = "crate::schema::ErrorCode"))]
    code: &'static str,
    /// How to fix it.
    hint: Option<&'a str>,
    /// The error's description.
    message: &'a str,
    /// Id of the request that failed, from the server.
    request_id: Option<&'a str>,
}

/// Prints the error of a command as JSON.
pub(crate) fn json_failure(error: &CliError) {
    let failure = Failure {
        error: FailureDetails {
            code: error.kind.as_str(),
            hint: error.hint.as_deref(),
            message: &error.message,
            request_id: error.request_id.as_deref(),
        },
    };
    match json::line(&failure) {
        Ok(line) => stderr_line(&line),
        Err(_) => stderr_line(&error.message),
    }
}

/// Forwards a line of output from a helper of the `command` store.
pub(crate) fn print_helper_line(paint: Paint, line: &str) {
    stderr_line(&format!("{}: {}", paint.bold("helper"), plain(line)));
}

fn stderr_line(line: &str) {
    // A closed standard error cannot be reported.
    let _ = writeln!(io::stderr(), "{line}");
}

/// A short confirmation.
#[derive(Debug, Serialize)]
pub(crate) struct Done<T: Serialize> {
    #[serde(skip)]
    pub(crate) text: String,
    #[serde(flatten)]
    pub(crate) value: T,
}

impl<T: Serialize> Report for Done<T> {
    fn text(&self, paint: Paint) -> String {
        format!("{} {}\n", paint.good("✓"), plain(&self.text))
    }
}

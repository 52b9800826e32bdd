//! `--watch`: repeats the checks until Ctrl-C.
//!
//! On a terminal each round replaces the one before, without a terminal mode that would have to be
//! restored. Elsewhere it prints a line for each changed connection, and with `-o json` one line
//! for each round.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::Pin;

use jiff::{Timestamp, Unit};
use ntro_base::Period;
use ntro_client::config::Config;
use ntro_client::resolve::Inputs;
use ntro_client::state::KeyRecords;
use serde::Serialize;

use super::round::Checks;
use super::row::{StatusRow, Statuses};
use crate::cli::Format;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::interrupt;
use crate::output::{json, plain, terminal_height, whole_seconds};

/// With `--watch`, one line for each round of checks.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::commands::auth) struct WatchRound<'a> {
    /// When the round finished.
    checked_at: Timestamp,
    /// Whether every connection is ok.
    ok: bool,
    /// State of each connection.
    connections: &'a [StatusRow],
}

pub(super) fn run(cx: &Context, checks: &Checks<'_>, interval: Period) -> Result<Exit, CliError> {
    interrupt::leave_interrupt();
    let mut interrupt = Interrupt::new();
    let mut screen = Screen::new(cx);
    loop {
        // Reads the configuration again in each round: a login may have changed it.
        let config = Config::read(&cx.home()?.config())?;
        let records = KeyRecords::read(&cx.home()?.logins())?;
        let asked = checks.keys(Inputs {
            config: &config,
            records: &records,
            ..cx.inputs()?
        })?;
        let Some(rows) = interrupt.before(cx, checks.ask(asked))? else {
            return Ok(Exit::Failure(Kind::Interrupted));
        };
        if !screen.show(rows)? {
            // The reader has closed the pipe.
            return Ok(Exit::Success);
        }
        let pause = async { tokio::time::sleep(interval.duration()).await };
        if interrupt.before(cx, pause)?.is_none() {
            return Ok(Exit::Failure(Kind::Interrupted));
        }
    }
}

/// Ctrl-C, from the first wait on: a signal between two waits counts too.
struct Interrupt(Pin<Box<dyn Future<Output = ()>>>);

impl Interrupt {
    fn new() -> Self {
        Self(Box::pin(async {
            if tokio::signal::ctrl_c().await.is_err() {
                // The handler cannot be installed; Ctrl-C then ends the process as usual.
                std::future::pending::<()>().await;
            }
        }))
    }

    /// Runs a future to completion unless Ctrl-C comes first.
    fn before<T>(
        &mut self,
        cx: &Context,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, CliError> {
        let Self(interrupt) = self;
        cx.block_on(async {
            tokio::select! {
                biased;
                () = interrupt => None,
                done = work => Some(done),
            }
        })
    }
}

/// The rows shown last, and the output that they were shown on.
struct Screen<'a> {
    cx: &'a Context,
    before: BTreeMap<String, StatusRow>,
    /// Number of lines of the last round on the terminal; `None` before the first round.
    lines: Option<usize>,
}

impl<'a> Screen<'a> {
    fn new(cx: &'a Context) -> Self {
        Self {
            cx,
            before: BTreeMap::new(),
            lines: None,
        }
    }

    /// Shows a round. Returns `false` once the reader has closed the pipe.
    fn show(&mut self, rows: Vec<StatusRow>) -> Result<bool, CliError> {
        let printer = self.cx.printer();
        let now = self.cx.now().round(Unit::Second);
        let now = now.unwrap_or_else(|_| self.cx.now());
        if self.cx.global().output == Format::Json {
            let round = WatchRound {
                checked_at: whole_seconds(now),
                ok: rows.iter().all(|row| row.ok),
                connections: &rows,
            };
            let mut line = json::line(&round).map_err(|error| {
                CliError::new(Kind::Failure, format!("cannot write JSON: {error}"))
            })?;
            line.push('\n');
            return printer.stream(&line);
        }
        let text = match terminal_height() {
            Some(height) => self.redrawn(&rows, height, now),
            None => self.changes(&rows, now),
        };
        self.before = rows
            .into_iter()
            .map(|row| (row.name.clone(), row))
            .collect();
        printer.stream(&text)
    }

    /// Returns the round as text that replaces the one before and fits the terminal's height. If
    /// not all rows fit, those that are not ok come first.
    fn redrawn(&mut self, rows: &[StatusRow], height: usize, now: Timestamp) -> String {
        let paint = self.cx.printer().stdout();
        // Leaves room for the table head, the summary line and the line of the cursor.
        let room = height.saturating_sub(3).max(1);
        let mut shown: Vec<&StatusRow> = rows.iter().collect();
        if shown.len() > room {
            shown.sort_by_key(|row| row.ok);
        }
        let mut text = String::new();
        if let Some(lines) = self.lines {
            // Moves the cursor to the first line of the last round and clears the rest.
            let _ = write!(text, "\x1b[{lines}A\r\x1b[J");
        }
        // Long remarks take several lines, so rows are dropped until the table fits.
        let mut count = shown.len().min(room);
        let table = loop {
            let table = Statuses::table(paint, shown[..count].iter().copied());
            if count <= 1 || table.lines().count() <= room + 1 {
                break table;
            }
            count -= 1;
        };
        let well = rows.iter().filter(|row| row.ok).count();
        let hidden = match rows.len() - count {
            0 => String::new(),
            hidden => format!("{hidden} more, "),
        };
        let last = format!("{hidden}{well} of {} ok, checked at {now}", rows.len());
        text.push_str(&table);
        text.push_str(&paint.dim(&last));
        text.push('\n');
        self.lines = Some(table.lines().count() + 1);
        text
    }

    /// Returns a line for each connection that is new, changed or removed.
    fn changes(&mut self, rows: &[StatusRow], now: Timestamp) -> String {
        let mut text = String::new();
        for row in rows {
            let before = self.before.remove(&row.name);
            if before.as_ref().is_some_and(|before| !row.differs(before)) {
                continue;
            }
            let _ = write!(text, "{now} {}: ", plain(&row.name));
            if let Some(before) = before {
                let _ = write!(text, "{} → ", before.status());
            }
            text.push_str(&row.status());
            let remark = row.remark();
            if !remark.is_empty() {
                let _ = write!(text, " ({remark})");
            }
            text.push('\n');
        }
        for name in self.before.keys() {
            let _ = writeln!(text, "{now} {}: removed", plain(name));
        }
        text
    }
}

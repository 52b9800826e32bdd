//! `--watch`: round after round until Ctrl-C.
//!
//! A terminal shows the last round in the place of the one before, without any mode that would
//! have to be undone; elsewhere a line is printed for each connection that has changed, and with
//! `-o json` one for each round.

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
use crate::output::{plain, terminal_height};

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
    let mut first = true;
    loop {
        // Read anew each time: somebody may have logged in meanwhile.
        let config = Config::read(&cx.home()?.config())?;
        let records = KeyRecords::read(&cx.home()?.logins())?;
        let asked = checks.keys(Inputs {
            config: &config,
            records: &records,
            ..cx.inputs()?
        })?;
        let rows = interrupt.before(cx, checks.ask(asked, first))?;
        first = false;
        let Some(rows) = rows else {
            return Ok(Exit::Failure(Kind::Interrupted));
        };
        if !screen.show(rows)? {
            // Nobody reads any more.
            return Ok(Exit::Success);
        }
        let pause = async { tokio::time::sleep(interval.duration()).await };
        if interrupt.before(cx, pause)?.is_none() {
            return Ok(Exit::Failure(Kind::Interrupted));
        }
    }
}

/// Ctrl-C, from the first time that it is waited for: one that comes between two waits counts too.
struct Interrupt(Pin<Box<dyn Future<Output = ()>>>);

impl Interrupt {
    fn new() -> Self {
        Self(Box::pin(async {
            if tokio::signal::ctrl_c().await.is_err() {
                // It cannot be waited for; the system ends the process then, as it always would.
                std::future::pending::<()>().await;
            }
        }))
    }

    /// Runs a future to its end, unless Ctrl-C comes before that.
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

/// What was shown, and where.
struct Screen<'a> {
    cx: &'a Context,
    before: BTreeMap<String, StatusRow>,
    /// Lines that the last round took on the terminal; none before the first.
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

    /// Shows a round. Returns `false` when nobody reads any more.
    fn show(&mut self, rows: Vec<StatusRow>) -> Result<bool, CliError> {
        let printer = self.cx.printer();
        let now = self.cx.now().round(Unit::Second);
        let now = now.unwrap_or_else(|_| self.cx.now());
        if self.cx.global().output == Format::Json {
            let round = WatchRound {
                checked_at: now,
                ok: rows.iter().all(|row| row.ok),
                connections: &rows,
            };
            let mut line = serde_json::to_string(&round).map_err(|error| {
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

    /// The round in the place of the one before, in as many lines as the terminal has. What is not
    /// well comes first where not all fit.
    fn redrawn(&mut self, rows: &[StatusRow], height: usize, now: Timestamp) -> String {
        let paint = self.cx.printer().stdout();
        // The head, the line below, and the one that the cursor stands in.
        let room = height.saturating_sub(3).max(1);
        let mut shown: Vec<&StatusRow> = rows.iter().collect();
        if shown.len() > room {
            shown.sort_by_key(|row| row.ok);
        }
        let mut text = String::new();
        if let Some(lines) = self.lines {
            // To the first line of it, and clear all from there.
            let _ = write!(text, "\x1b[{lines}A\r\x1b[J");
        }
        // Long remarks take several lines, so rows are left out until the table fits.
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

    /// A line for each connection that is new, has changed or is gone.
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

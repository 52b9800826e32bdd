use jiff::Timestamp;
use ntro_client::proxy::{CallLog, CheckedLog, LogEntry};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Column, Paint, Report, Table, plain, whole_seconds};

/// Print the calls through proxies, or check that their log is whole
///
/// The log is `proxy.log` in the folder of `ntro`, with four older ones beside it. Each line has the
/// hash of the line before: a change, and a line removed from the middle, are detected. It has no
/// key, no body and no query.
#[derive(clap::Args, Debug)]
pub(super) struct LogArgs {
    /// Check the chain of hashes instead; the exit code is 1 if it is broken
    #[arg(long)]
    verify: bool,
    /// Print the last calls only
    #[arg(long, value_name = "N", conflicts_with = "verify")]
    last: Option<usize>,
}

/// A logged call.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LoggedCall {
    /// Number of the line.
    sequence: u64,
    /// When the call began.
    time: Timestamp,
    /// Program that called; null if it had no valid token.
    child: Option<String>,
    /// Its process id, where it is known.
    pid: Option<u32>,
    /// Method.
    method: String,
    /// Path without the query.
    path: String,
    /// Status of the answer; null if the program left before.
    status: Option<u16>,
    /// Bytes of the request's body.
    sent: u64,
    /// Bytes of the answer's body.
    received: u64,
    /// Duration of the call.
    milliseconds: u64,
    /// `forwarded`, `refused` or `failed`.
    decision: &'static str,
    /// Why it was refused or failed.
    reason: Option<String>,
    /// Whether a person approved it.
    approved: bool,
    /// Refused calls that were not logged before this one.
    omitted: u64,
}

/// Calls, oldest first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LoggedCalls(Vec<LoggedCall>);

/// A whole log.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CheckedCalls {
    /// Number of lines.
    lines: u64,
    /// Number of the first line; above 1 once older logs were replaced.
    first: u64,
    /// Whether a killed proxy left an incomplete last line.
    incomplete: bool,
    /// Path of the log.
    log: String,
}

pub(super) fn run(args: &LogArgs, cx: &Context) -> Result<Exit, CliError> {
    let log = CallLog::at(cx.home()?.proxy_log());
    if args.verify {
        let checked = log.verify()?.map_err(|broken| {
            CliError::new(Kind::Failure, broken.to_string())
                .hint("the log was changed by hand or by another program; lines before this one are as they were written")
        })?;
        cx.printer().print(&CheckedCalls::new(checked, &log))?;
        return Ok(Exit::Success);
    }
    let mut entries = log.entries()?;
    if let Some(last) = args.last {
        entries.drain(..entries.len().saturating_sub(last));
    }
    if entries.is_empty() {
        cx.printer().note("No calls are logged yet.");
    }
    let calls = entries.into_iter().map(LoggedCall::from).collect();
    cx.printer().print(&LoggedCalls(calls))?;
    Ok(Exit::Success)
}

impl From<LogEntry> for LoggedCall {
    fn from(entry: LogEntry) -> Self {
        Self {
            sequence: entry.sequence,
            time: whole_seconds(entry.time),
            child: entry.child,
            pid: entry.pid,
            method: entry.method,
            path: entry.path,
            status: entry.status,
            sent: entry.sent,
            received: entry.received,
            milliseconds: entry.milliseconds,
            decision: entry.decision.as_str(),
            reason: entry.reason,
            approved: entry.approved,
            omitted: entry.omitted,
        }
    }
}

impl Report for LoggedCalls {
    fn text(&self, paint: Paint) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let columns = [
            Column::ranked("TIME", 2),
            Column::always("CHILD"),
            Column::always("METHOD"),
            Column::always("PATH"),
            Column::always("STATUS"),
            Column::ranked("SENT", 4),
            Column::ranked("RECEIVED", 3),
            Column::ranked("DECISION", 1),
        ];
        let mut table = Table::new(paint, &columns);
        for call in &self.0 {
            let mut decision = call.decision.to_owned();
            if call.approved {
                decision.insert_str(0, "approved, ");
            }
            if let Some(reason) = &call.reason {
                decision = format!("{decision}: {reason}");
            }
            table.row([
                call.time.to_string(),
                call.child.clone().unwrap_or_default(),
                call.method.clone(),
                call.path.clone(),
                call.status
                    .map(|status| status.to_string())
                    .unwrap_or_default(),
                call.sent.to_string(),
                call.received.to_string(),
                decision,
            ]);
        }
        table.text()
    }
}

impl CheckedCalls {
    fn new(checked: CheckedLog, log: &CallLog) -> Self {
        Self {
            lines: checked.lines,
            first: checked.first,
            incomplete: checked.is_incomplete,
            log: log.path().display().to_string(),
        }
    }
}

impl Report for CheckedCalls {
    fn text(&self, paint: Paint) -> String {
        let mut text = format!("{} {} lines are whole", paint.good("✓"), self.lines);
        if self.first > 1 {
            text.push_str(&format!(
                "; those before number {} were replaced",
                self.first
            ));
        }
        if self.incomplete {
            text.push_str("; a proxy that was killed left an incomplete line at the end");
        }
        format!("{}\n", plain(&text))
    }
}

//! The facts of a call that the log records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use hyper::StatusCode;
use jiff::Timestamp;

use super::log::{Decision, LogEntry, LogWriter};

/// The reason of a call whose program has left before the end.
const CLIENT_LEFT: &str = "client_left";

/// A call under way. It is logged when this is dropped, after the last byte of the answer.
pub(super) struct Record {
    log: Option<LogWriter>,
    start: Instant,
    entry: LogEntry,
    /// Why the call was refused or failed.
    reason: Option<&'static str>,
    /// Bytes of the request's body; none without one.
    sent: Option<Arc<AtomicU64>>,
    /// Bytes of the answer's body.
    pub(super) received: u64,
    /// The calls under way.
    _under_way: UnderWay,
}

/// Counts a call for as long as it lives.
pub(super) struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Record {
    /// The reason of a call whose program has left during a question.
    pub(super) const WITHDRAWN: &'static str = "withdrawn";

    pub(super) fn new(
        log: Option<LogWriter>,
        method: &str,
        path: &str,
        under_way: UnderWay,
    ) -> Self {
        /// A longer path is cut.
        const LONGEST: usize = 2_048;

        let shorten = |text: &str| match text.len() > LONGEST {
            true => text.chars().take(LONGEST).collect(),
            false => text.to_owned(),
        };
        Self {
            log,
            start: Instant::now(),
            entry: LogEntry {
                time: Timestamp::now(),
                method: shorten(method),
                path: shorten(path),
                ..LogEntry::default()
            },
            reason: Some(CLIENT_LEFT),
            sent: None,
            received: 0,
            _under_way: under_way,
        }
    }

    pub(super) fn name(&mut self, child: &str, pid: Option<u32>) {
        self.entry.child = Some(child.to_owned());
        self.entry.pid = pid;
    }

    /// Returns the count of the bytes of the request's body.
    pub(super) fn count_sent(&mut self) -> Arc<AtomicU64> {
        Arc::clone(self.sent.get_or_insert_default())
    }

    /// Returns the name of the child and its process id.
    pub(super) fn program(&self) -> (&str, Option<u32>) {
        (
            self.entry.child.as_deref().unwrap_or_default(),
            self.entry.pid,
        )
    }

    /// Waits for a person, until [`Self::approve`] or a refusal.
    pub(super) fn ask(&mut self) {
        self.entry.decision = Decision::Refused;
        self.reason = Some(Self::WITHDRAWN);
    }

    pub(super) fn approve(&mut self) {
        self.entry.approved = true;
        self.fail(CLIENT_LEFT);
    }

    pub(super) fn status(&mut self, status: StatusCode) {
        self.entry.status = Some(status.as_u16());
    }

    pub(super) fn refuse(&mut self, status: StatusCode, reason: &'static str) {
        if reason != Self::WITHDRAWN {
            self.status(status);
        }
        self.entry.decision = Decision::Refused;
        self.reason = Some(reason);
    }

    pub(super) fn fail(&mut self, reason: &'static str) {
        self.entry.decision = Decision::Failed;
        self.reason = Some(reason);
    }

    pub(super) fn complete(&mut self) {
        self.entry.decision = Decision::Forwarded;
        self.reason = None;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(log) = self.log.take() else {
            return;
        };
        let mut entry = std::mem::take(&mut self.entry);
        entry.reason = self.reason.map(str::to_owned);
        entry.sent = self
            .sent
            .as_ref()
            .map_or(0, |sent| sent.load(Ordering::Relaxed));
        entry.received = self.received;
        entry.milliseconds = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        log.write(entry);
    }
}

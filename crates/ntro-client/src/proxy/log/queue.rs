use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::LogEntry;

/// How long entries are collected before they are written together.
const PAUSE: Duration = Duration::from_millis(20);
/// The number of entries that are written earlier.
const MANY: usize = 1_000;

/// The entries that are to be written. The writer is woken once for many of them: waking it for each
/// costs a call more than all else about the log.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<LogEntry>,
    is_closed: bool,
}

impl Queue {
    pub(super) fn push(&self, entry: LogEntry) {
        let mut waiting = self.lock();
        waiting.entries.push(entry);
        let count = waiting.entries.len();
        drop(waiting);
        if count == 1 || count == MANY {
            self.changed.notify_one();
        }
    }

    /// Ends the wait of the writer: no entry follows.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Waits for entries; `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<LogEntry>> {
        let is_idle = |waiting: &mut Waiting| waiting.entries.is_empty() && !waiting.is_closed;
        let goes_on = |waiting: &mut Waiting| waiting.entries.len() < MANY && !waiting.is_closed;
        let waiting = self.changed.wait_while(self.lock(), is_idle);
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(waiting, PAUSE, goes_on);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let entries = std::mem::take(&mut waiting.entries);
        (!entries.is_empty()).then_some(entries)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

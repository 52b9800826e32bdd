//! The writer: one thread through which every change goes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::SqliteFiles;
use super::feed::{ChangeFeed, confirm};
use super::schema::BUSY;
use crate::metrics::METRICS;
use crate::store::StoreError;
use crate::store::sql::{WriteJob, epoch};

/// How often an idle serving writer looks for commits of other processes.
const POLL: Duration = Duration::from_millis(20);
/// How often a writer that could not write tries again.
const RETRY: Duration = Duration::from_secs(1);
/// The most changes that share one sync.
const BATCH: usize = 256;

/// The role of this process.
pub(super) enum Side {
    /// It serves the database.
    Serving(ChangeFeed),
    /// It changes the database, beside a serving process or without one.
    Beside { files: SqliteFiles },
}

pub(super) struct SqliteWriter {
    pub(super) connection: Connection,
    pub(super) side: Side,
    pub(super) path: PathBuf,
    pub(super) healthy: Arc<AtomicBool>,
    /// When an unhealthy writer last tried to write.
    pub(super) tried: Option<Instant>,
}

impl SqliteWriter {
    pub(super) fn run(mut self, jobs: &Receiver<Box<dyn WriteJob>>) {
        loop {
            let first = match self.side {
                Side::Beside { .. } => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Side::Serving(_) => jobs.recv_timeout(POLL),
            };
            let mut batch = match first {
                Ok(first) => vec![first],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !batch.is_empty() {
                batch.extend(jobs.try_iter().take(BATCH - 1));
            }
            self.turn(batch);
        }
    }

    /// Commits a batch, hands the changes to the subscriber, and answers.
    fn turn(&mut self, mut batch: Vec<Box<dyn WriteJob>>) {
        let committed = if batch.is_empty() {
            Ok(None)
        } else {
            let started = Instant::now();
            let committed = commit(&self.connection, &mut batch).map(Some);
            METRICS.commits.add(started.elapsed());
            METRICS.changes.add(batch.len());
            committed
        };
        let followed = match (&mut self.side, &committed) {
            (Side::Serving(feed), _) => feed.catch_up(&self.connection),
            (Side::Beside { files }, Ok(Some((before, after)))) if before != after => {
                confirm(&self.connection, files, *after)
            }
            (Side::Beside { .. }, _) => Ok(()),
        };
        // A turn without a change proves nothing: an unhealthy writer has to write first.
        let was_healthy = self.healthy.load(Ordering::Relaxed);
        let healthy = committed.is_ok() && followed.is_ok() && (was_healthy || self.can_write());
        if was_healthy != healthy {
            self.healthy.store(healthy, Ordering::Relaxed);
            if healthy {
                tracing::info!("the registry can be written again");
            } else {
                tracing::error!(?committed, ?followed, "the registry cannot be written");
            }
        }
        for job in batch {
            let failure = match (&committed, &followed) {
                (Err(error), _) => Some(StoreError::Uncommitted(error.to_string())),
                (Ok(_), Err(_)) if job.is_strict() => Some(StoreError::Unconfirmed {
                    database: self.path.display().to_string(),
                }),
                _ => None,
            };
            job.answer(failure);
        }
    }

    /// Returns whether changes can be written again, by trying from time to time: a server that is
    /// not ready may get no change that would show it.
    fn can_write(&mut self) -> bool {
        if self.tried.is_some_and(|tried| tried.elapsed() < RETRY) {
            return false;
        }
        self.tried = Some(Instant::now());
        try_to_write(&self.connection).is_ok()
    }
}

/// Writes as much to the disk as some changes do, and rolls it back.
fn try_to_write(connection: &Connection) -> Result<(), rusqlite::Error> {
    // Does not wait for a lock, so that the changes of other processes are still applied.
    connection.busy_timeout(Duration::ZERO)?;
    let written = connection
        .execute_batch(
            "BEGIN IMMEDIATE; CREATE TABLE attempt (bytes BLOB) STRICT; \
             INSERT INTO attempt VALUES (zeroblob(256 * 1024))",
        )
        .and_then(|()| connection.cache_flush());
    let mut undone = Ok(());
    if !connection.is_autocommit() {
        undone = connection.execute_batch("ROLLBACK");
    }
    connection.busy_timeout(BUSY)?;
    written.and(undone)
}

/// Runs a batch in one transaction, each job on its own; returns the epochs before and after.
fn commit(
    connection: &Connection,
    batch: &mut [Box<dyn WriteJob>],
) -> Result<(i64, i64), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut run = || {
        let before = epoch(connection)?;
        for job in batch.iter_mut() {
            connection.execute_batch("SAVEPOINT job")?;
            let kept = job.run(connection);
            connection.execute_batch(if kept {
                "RELEASE job"
            } else {
                "ROLLBACK TO job; RELEASE job"
            })?;
        }
        let after = epoch(connection)?;
        connection.execute_batch("COMMIT")?;
        Ok((before, after))
    };
    let result = run();
    if result.is_err() && !connection.is_autocommit() {
        // The first error is the one to report.
        let _ = connection.execute_batch("ROLLBACK");
    }
    result
}

//! The writer: one thread through which every change goes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::feed::{ChangeFeed, confirm, epoch};
use super::schema::BUSY;
use super::{SqliteFiles, StoreError};

/// How often an idle serving writer looks for commits of other processes.
const POLL: Duration = Duration::from_millis(20);
/// How often a writer that could not write tries again.
const RETRY: Duration = Duration::from_secs(1);
/// The most changes that share one sync.
const BATCH: usize = 256;

pub(super) type ReadQuery = Box<dyn FnOnce(&Connection) + Send>;

/// A thread with a queue. Dropping it ends the thread and waits for it.
pub(super) struct WorkerThread<T> {
    queue: Option<Sender<T>>,
    handle: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> WorkerThread<T> {
    pub(super) fn spawn(
        name: &str,
        body: impl FnOnce(Receiver<T>) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (queue, received) = mpsc::channel();
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || body(received))
            .map_err(StoreError::Thread)?;
        Ok(Self {
            queue: Some(queue),
            handle: Some(handle),
        })
    }
}

impl<T> WorkerThread<T> {
    pub(super) fn send(&self, item: T) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Ended)?;
        queue.send(item).map_err(|_| StoreError::Ended)
    }

    /// Returns whether the thread runs; it does not after a panic.
    pub(super) fn is_alive(&self) -> bool {
        let handle = self.handle.as_ref();
        handle.is_some_and(|handle| !handle.is_finished())
    }
}

impl<T> Drop for WorkerThread<T> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(handle) = self.handle.take() {
            // A panic was reported when it happened.
            let _ = handle.join();
        }
    }
}

/// A change, and the channel for its result.
pub(super) trait WriteJob: Send {
    /// Makes the change; the caller rolls it back when this returns `false`.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Whether the change succeeds only with the confirmation of the serving process.
    fn is_strict(&self) -> bool;
    /// Sends the result, or the reason why the batch failed.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

type Work<T> = Box<dyn FnOnce(&Connection) -> Result<T, StoreError> + Send>;

pub(super) struct WriteTask<T> {
    work: Option<Work<T>>,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    strict: bool,
}

impl<T> WriteTask<T> {
    pub(super) fn new(
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        answer: oneshot::Sender<Result<T, StoreError>>,
        strict: bool,
    ) -> Self {
        Self {
            work: Some(Box::new(work)),
            result: None,
            answer,
            strict,
        }
    }
}

impl<T: Send> WriteJob for WriteTask<T> {
    fn run(&mut self, connection: &Connection) -> bool {
        let result = match self.work.take() {
            Some(work) => work(connection),
            None => Err(StoreError::Ended),
        };
        let kept = result.is_ok();
        self.result = Some(result);
        kept
    }

    fn is_strict(&self) -> bool {
        self.strict
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match (self.result, failure) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err(failure),
            (Some(result), None) => result,
            (None, None) => Err(StoreError::Ended),
        };
        // The caller may have gone away.
        let _ = self.answer.send(result);
    }
}

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
            commit(&self.connection, &mut batch).map(Some)
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
                    path: self.path.clone(),
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
) -> Result<(i64, i64), rusqlite::Error> {
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

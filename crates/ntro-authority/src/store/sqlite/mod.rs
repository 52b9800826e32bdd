//! SQLite, with one writer thread.
//!
//! Every change goes through the writer: it takes what is queued, runs it in one transaction
//! (WAL, `synchronous=FULL`: one sync for the whole batch), hands the changed rows to the
//! follower, and then answers all. Reads have a thread and a connection of their own.
//!
//! **Two processes on one database.** One process serves; it holds a lock file for as long as it
//! lives. `ntro admin` writes to the same file while it does. SQLite's `data_version` tells the
//! serving writer that somebody else has committed: it looks every 20 ms (some microseconds in an
//! idle thread, nothing on the path of a request), applies the rows whose `changed` lies above the
//! epoch it knows, and writes that epoch down as acknowledged. The other process answers only when
//! its own epoch is acknowledged or the lock is free, that is when the server has ended. A server
//! that was paused cannot acknowledge, so the other process reports after some seconds that the
//! change is written but not confirmed: success is never claimed too early, and it takes no socket,
//! no port and no signal, on any platform. What takes nothing away, a new key for one, succeeds
//! then all the same. Leases and acknowledgements of several replicas are the same rule.
mod columns;
mod feed;
mod schema;
mod statements;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{StoreError, StoreFuture, Subscriber};
use crate::files::DatabaseFiles;
use feed::{ChangeFeed, take_over};
use ntro_base::disk::FileLock;
use schema::{connect, prepare};
use writer::{Job, Query, Side, Task, Thread, Writer};

/// The registry in a SQLite file.
pub(crate) struct Sqlite {
    writer: Thread<Box<dyn Job>>,
    reader: Thread<Query>,
    well: Arc<AtomicBool>,
    /// Of whoever serves. Not the writer's: should that end before its time, keys are verified
    /// still, by somebody who learns of no revocation and must not be taken for gone.
    _serving: Option<FileLock>,
}

impl Sqlite {
    /// Opens the registry for `ntro admin`, beside a serving process or without one.
    pub(crate) fn open(files: &DatabaseFiles) -> Result<Self, StoreError> {
        let connection = prepare(files)?;
        Self::start(
            files,
            connection,
            Side::Beside {
                files: files.clone(),
            },
            None,
        )
    }

    /// Opens the registry to serve them: loads what may be accepted into the follower, then keeps it
    /// up to date. One process only at a time.
    pub(crate) fn serve(
        files: &DatabaseFiles,
        follower: Arc<dyn Subscriber>,
    ) -> Result<Self, StoreError> {
        let connection = prepare(files)?;
        let serving = take_over(files)?;
        let feed = ChangeFeed::open(&connection, follower, &serving)?;
        Self::start(files, connection, Side::Serving(feed), Some(serving))
    }

    /// Returns what proves that a pepper is the database's, if there was one yet.
    pub(crate) fn pepper_check(files: &DatabaseFiles) -> Result<Option<[u8; 32]>, StoreError> {
        let connection = prepare(files)?;
        Ok(connection.query_row("SELECT pepper_check FROM meta", [], |row| row.get(0))?)
    }

    /// Writes down what proves that a pepper is the database's, once and for all.
    pub(crate) fn set_pepper_check(
        files: &DatabaseFiles,
        check: [u8; 32],
    ) -> Result<(), StoreError> {
        connect(files.database())?.execute(
            "UPDATE meta SET pepper_check = ?1 WHERE pepper_check IS NULL",
            [check],
        )?;
        Ok(())
    }

    fn start(
        files: &DatabaseFiles,
        connection: Connection,
        side: Side,
        serving: Option<FileLock>,
    ) -> Result<Self, StoreError> {
        let well = Arc::new(AtomicBool::new(true));
        let reading = connect(files.database())?;
        reading.execute_batch("PRAGMA query_only = ON")?;
        let writer = Writer {
            connection,
            side,
            path: files.database().to_owned(),
            well: well.clone(),
            tried: None,
        };
        Ok(Self {
            writer: Thread::spawn("registry-writer", move |jobs| writer.run(&jobs))?,
            reader: Thread::spawn("registry-reader", move |queries: Receiver<Query>| {
                for query in queries {
                    query(&reading);
                }
            })?,
            well,
            _serving: serving,
        })
    }

    fn write<T: Send + 'static>(
        &self,
        strict: bool,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (answer, answered) = oneshot::channel();
        let sent = self.writer.send(Box::new(Task::new(work, answer, strict)));
        Box::pin(async move {
            sent?;
            answered.await.map_err(|_| StoreError::Ended)?
        })
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (answer, answered) = oneshot::channel();
        let sent = self.reader.send(Box::new(move |connection| {
            // Nobody may be waiting any more.
            let _ = answer.send(work(connection));
        }));
        Box::pin(async move {
            sent?;
            answered.await.map_err(|_| StoreError::Ended)?
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::{Duration, Instant};

    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::store::{Change, Store as _};
    use ntro_base::disk;

    /// Follows once, and panics then.
    #[derive(Default)]
    struct Defective(AtomicBool);

    impl Subscriber for Defective {
        fn apply(&self, _: Vec<Change>) {
            assert!(!self.0.swap(true, Ordering::Relaxed), "a defect");
        }
    }

    #[tokio::test]
    async fn whoever_can_follow_no_more_is_not_taken_for_gone() {
        let folder = tempfile::tempdir().unwrap();
        let files = DatabaseFiles::beside(&folder.path().join("registry.db"));
        let store = Sqlite::serve(&files, Arc::new(Defective::default())).unwrap();
        assert!(store.is_healthy());
        let nobody = Uuid::new_v4();
        let answer = store.revoke_successor(nobody, None, Timestamp::now());
        assert!(matches!(answer.await, Err(StoreError::Ended)));
        while store.writer.is_alive() {
            std::thread::yield_now();
        }
        assert!(!store.is_healthy());
        let serving = files.serving(Duration::ZERO);
        assert!(matches!(serving, Err(disk::Error::Locked { .. })));
        drop(store);
        files.serving(Duration::ZERO).unwrap();
    }

    /// Follows whatever comes.
    struct Calm;

    impl Subscriber for Calm {
        fn apply(&self, _: Vec<Change>) {}
    }

    #[tokio::test]
    async fn books_that_somebody_else_locks_are_not_well_before_the_lock_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let files = DatabaseFiles::beside(&folder.path().join("registry.db"));
        let connection = prepare(&files).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        let serving = take_over(&files).unwrap();
        let feed = ChangeFeed::open(&connection, Arc::new(Calm), &serving).unwrap();
        let side = Side::Serving(feed);
        let store = Sqlite::start(&files, connection, side, Some(serving)).unwrap();
        let other = connect(files.database()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let nobody = Uuid::new_v4();
        let refused = store.revoke_key(nobody, Timestamp::now()).await;
        assert!(matches!(refused, Err(StoreError::Uncommitted(_))));
        let locked = Instant::now();
        while locked.elapsed() < 2 * Duration::from_secs(1) {
            assert!(!store.is_healthy(), "after {:?}", locked.elapsed());
            std::thread::sleep(Duration::from_millis(10));
        }
        // Nobody has to write for it to be noticed.
        other.execute_batch("ROLLBACK").unwrap();
        let free = Instant::now();
        while !store.is_healthy() {
            assert!(free.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

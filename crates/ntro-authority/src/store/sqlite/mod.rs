//! SQLite, with one writer thread.
//!
//! Every change goes through the writer: it takes what is queued, runs it in one transaction (WAL,
//! `synchronous=FULL`: one sync for the whole batch), hands the changed rows to the subscriber, and
//! then answers all. Reads use a separate thread and connection.
//!
//! **Two processes on one database.** One process serves, and holds a lock file until it ends.
//! `ntro admin` writes to the same file meanwhile. The serving writer reads SQLite's `data_version`
//! every 20 ms (some microseconds in an idle thread, nothing on the path of a request). When another
//! process has committed, it applies the rows whose `changed` is above the epoch it has applied, and
//! writes that epoch to the database as acknowledged. The other process answers only when its own
//! epoch is acknowledged, or when the lock is free because no process serves. A server that is
//! paused acknowledges nothing; the other process then reports after some seconds that the change is
//! written but not confirmed. Success is never reported too early, and this needs no socket, no port
//! and no signal, on any platform. A change that takes nothing away, such as a new key, succeeds
//! without confirmation. Leases and acknowledgements of several replicas follow the same rule.
mod feed;
mod files;
mod inspect;
mod schema;
mod session;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;

use rusqlite::Connection;

use super::sql::{ReadQuery, SqlStore, WorkerThread};
use super::{StoreError, Subscriber};
use feed::{ChangeFeed, take_over};
pub(super) use files::SqliteFiles;
pub(super) use inspect::{Inspection, inspect};
use ntro_base::disk::FileLock;
use schema::{connect, prepare};
use writer::{Side, SqliteWriter};

/// Opens the registry beside a serving process or without one.
pub(super) fn open(files: &SqliteFiles) -> Result<SqlStore, StoreError> {
    let connection = prepare(files)?;
    let side = Side::Beside {
        files: files.clone(),
    };
    start(files, connection, side, None)
}

/// Opens the registry to serve it: loads every live key into the subscriber, and hands it every
/// change from then on. Only one process at a time can.
pub(super) fn serve(
    files: &SqliteFiles,
    subscriber: Arc<dyn Subscriber>,
) -> Result<SqlStore, StoreError> {
    let connection = prepare(files)?;
    let serving = take_over(files)?;
    let feed = ChangeFeed::open(&connection, subscriber, &serving)?;
    start(files, connection, Side::Serving(feed), Some(serving))
}

/// Returns the proof of the database's pepper, if there is one yet.
pub(super) fn pepper_check(files: &SqliteFiles) -> Result<Option<[u8; 32]>, StoreError> {
    let connection = prepare(files)?;
    Ok(connection.query_row("SELECT pepper_check FROM meta", [], |row| row.get(0))?)
}

/// Writes the proof of the database's pepper, unless there is one already.
pub(super) fn set_pepper_check(files: &SqliteFiles, check: [u8; 32]) -> Result<(), StoreError> {
    connect(files.database())?.execute(
        "UPDATE meta SET pepper_check = ?1 WHERE pepper_check IS NULL",
        [check],
    )?;
    Ok(())
}

/// Starts the threads. A serving process gives its lock, which the store then holds.
fn start(
    files: &SqliteFiles,
    connection: Connection,
    side: Side,
    serving: Option<FileLock>,
) -> Result<SqlStore, StoreError> {
    let healthy = Arc::new(AtomicBool::new(true));
    let reading = connect(files.database())?;
    reading.execute_batch("PRAGMA query_only = ON")?;
    let writer = SqliteWriter {
        connection,
        side,
        path: files.database().to_owned(),
        healthy: healthy.clone(),
        tried: None,
    };
    Ok(SqlStore {
        writer: WorkerThread::spawn("registry-writer", move |jobs| writer.run(&jobs))?,
        reader: WorkerThread::spawn("registry-reader", move |queries: Receiver<ReadQuery>| {
            for query in queries {
                query(&reading);
            }
        })?,
        healthy,
        replica: None,
        receipts: None,
        _held: Box::new(serving),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::{Duration, Instant};

    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::actor::Actor;
    use crate::store::{Epoch, RegistryChange, Stamp, Store as _};
    use ntro_base::disk;

    fn stamp() -> Stamp {
        Stamp {
            actor: Actor::System,
            at: Timestamp::now(),
        }
    }

    /// Applies once, then panics.
    #[derive(Default)]
    struct FailingSubscriber(AtomicBool);

    impl Subscriber for FailingSubscriber {
        fn apply(&self, _: Epoch, _: Vec<RegistryChange>) {
            assert!(!self.0.swap(true, Ordering::Relaxed), "a defect");
        }
    }

    #[tokio::test]
    async fn failed_subscriber_keeps_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let files = SqliteFiles::new(&folder.path().join("registry.db"));
        let store = serve(&files, Arc::new(FailingSubscriber::default())).unwrap();
        assert!(store.is_healthy());
        let unknown = Uuid::new_v4();
        let answer = store.revoke_successor(unknown, None, stamp());
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

    /// Applies nothing.
    struct IdleSubscriber;

    impl Subscriber for IdleSubscriber {
        fn apply(&self, _: Epoch, _: Vec<RegistryChange>) {}
    }

    #[tokio::test]
    async fn locked_database_is_unhealthy() {
        let folder = tempfile::tempdir().unwrap();
        let files = SqliteFiles::new(&folder.path().join("registry.db"));
        let connection = prepare(&files).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        let serving = take_over(&files).unwrap();
        let feed = ChangeFeed::open(&connection, Arc::new(IdleSubscriber), &serving).unwrap();
        let side = Side::Serving(feed);
        let store = start(&files, connection, side, Some(serving)).unwrap();
        let other = connect(files.database()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let unknown = Uuid::new_v4();
        let refused = store.revoke_key(unknown, stamp()).await;
        assert!(matches!(refused, Err(StoreError::Uncommitted(_))));
        let locked = Instant::now();
        while locked.elapsed() < 2 * Duration::from_secs(1) {
            assert!(!store.is_healthy(), "after {:?}", locked.elapsed());
            std::thread::sleep(Duration::from_millis(10));
        }
        // No write is needed to notice it.
        other.execute_batch("ROLLBACK").unwrap();
        let free = Instant::now();
        while !store.is_healthy() {
            assert!(free.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

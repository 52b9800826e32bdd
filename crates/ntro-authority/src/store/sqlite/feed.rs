//! The change feed: hands changes to the subscriber, and confirms them to other processes.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::SqliteFiles;
use crate::store::sql::{epoch, registry_changes};
use crate::store::{Epoch, StoreError, Subscriber};
use ntro_base::disk::{self, FileLock};

/// How long another process waits for the serving one to acknowledge a change.
const CONFIRMATION: Duration = Duration::from_secs(10);
/// How long a starting server waits for one that is ending, or for an `ntro admin` that checks
/// whether a server runs.
const TAKE_OVER: Duration = Duration::from_secs(2);

/// The changes of the database, for the subscriber of the serving process.
pub(super) struct ChangeFeed {
    subscriber: Arc<dyn Subscriber>,
    /// The subscriber has applied everything up to this epoch; -1 before the first call.
    epoch: i64,
    /// SQLite's counter of the commits of other connections, when last read.
    seen: Option<i64>,
    /// The epoch of a database that was found to be older than what was served.
    older: Option<i64>,
}

/// Takes the lock of the serving process. It says to other processes that this one serves, and is
/// free as soon as this process ends.
pub(super) fn take_over(files: &SqliteFiles) -> Result<FileLock, StoreError> {
    files.serving(TAKE_OVER).map_err(|error| match error {
        disk::Error::Locked { .. } => StoreError::Served {
            database: files.database().display().to_string(),
        },
        error => error.into(),
    })
}

impl ChangeFeed {
    /// Hands every tenant and every live key to the subscriber.
    pub(super) fn open(
        connection: &Connection,
        subscriber: Arc<dyn Subscriber>,
        _serving: &FileLock,
    ) -> Result<Self, StoreError> {
        let mut feed = Self {
            subscriber,
            epoch: -1,
            seen: None,
            older: None,
        };
        feed.follow(connection)?;
        Ok(feed)
    }

    /// Hands new changes to the subscriber, and acknowledges those of other processes.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version = data_version(connection)?;
        if self.older.is_none() && self.seen == Some(version) && epoch(connection)? == self.epoch {
            return Ok(());
        }
        self.follow(connection)
    }

    fn follow(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version = data_version(connection)?;
        // One read transaction, so that rows and epoch belong together.
        let reading = connection.unchecked_transaction()?;
        let epoch = epoch(connection)?;
        // An older copy of the database stays one when its epochs reach those served before: the
        // changes of the two are not the same.
        if epoch < self.epoch {
            self.older = Some(epoch);
        }
        if let Some(found) = self.older {
            return Err(StoreError::OlderDatabase {
                found,
                served: self.epoch,
            });
        }
        if epoch != self.epoch {
            let changes = registry_changes(connection, self.epoch)?;
            self.subscriber.apply(Epoch(epoch), changes);
        }
        drop(reading);
        self.epoch = epoch;
        if self.seen != Some(version) {
            connection
                .prepare_cached("UPDATE meta SET acknowledged = ?1")?
                .execute([epoch])?;
            self.seen = Some(version);
        }
        Ok(())
    }
}

fn data_version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// Waits until the serving process has applied `epoch`, or no process serves.
pub(super) fn confirm(
    connection: &Connection,
    files: &SqliteFiles,
    epoch: i64,
) -> Result<(), StoreError> {
    let start = Instant::now();
    loop {
        let acknowledged: i64 = connection
            .prepare_cached("SELECT acknowledged FROM meta")?
            .query_row([], |row| row.get(0))?;
        if acknowledged >= epoch {
            return Ok(());
        }
        match files.serving(Duration::ZERO) {
            Ok(_unserved) => return Ok(()),
            Err(disk::Error::Locked { .. }) if start.elapsed() < CONFIRMATION => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(disk::Error::Locked { .. }) => {
                return Err(StoreError::Unconfirmed {
                    database: files.database().display().to_string(),
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::store::RegistryChange;
    use crate::store::sqlite::schema::{connect, prepare};

    /// Records the epochs that it gets.
    #[derive(Default)]
    struct EpochRecorder(Mutex<Vec<Epoch>>);

    impl Subscriber for EpochRecorder {
        fn apply(&self, epoch: Epoch, _: Vec<RegistryChange>) {
            self.0.lock().unwrap().push(epoch);
        }
    }

    #[test]
    fn epochs_never_go_back() {
        let folder = tempfile::tempdir().unwrap();
        let files = SqliteFiles::new(&folder.path().join("registry.db"));
        let connection = prepare(&files).unwrap();
        let serving = take_over(&files).unwrap();
        let subscriber = Arc::new(EpochRecorder::default());
        let mut feed = ChangeFeed::open(&connection, subscriber.clone(), &serving).unwrap();
        let other = connect(files.database()).unwrap();
        let mut set = |epoch: i64| {
            other
                .execute("UPDATE meta SET epoch = ?1", [epoch])
                .unwrap();
            feed.catch_up(&connection)
        };
        set(1).unwrap();
        set(5).unwrap();
        // Later epochs of the older copy are refused as well.
        for older in [4, 5, 6] {
            let error = set(older).unwrap_err();
            assert!(matches!(
                error,
                StoreError::OlderDatabase {
                    found: 4,
                    served: 5
                }
            ));
        }
        let epochs = subscriber.0.lock().unwrap();
        assert_eq!(*epochs, [Epoch(0), Epoch(1), Epoch(5)]);
    }
}

//! How those who verify keys learn of changes, and those who make changes that they have.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::columns::{KEY, TENANT, key, tenant};
use crate::files::DatabaseFiles;
use crate::store::{Change, StoreError, Subscriber};
use ntro_base::disk::{self, FileLock};

/// How long another process waits for the serving one to acknowledge a change.
const CONFIRMATION: Duration = Duration::from_secs(10);
/// How long a starting server waits for one that is about to end, or for an `ntro admin` that
/// just looks whether somebody serves.
const TAKE_OVER: Duration = Duration::from_secs(2);

pub(super) fn epoch(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection
        .prepare_cached("SELECT epoch FROM meta")?
        .query_row([], |row| row.get(0))
}

/// Begins a new epoch and returns it, for the rows that change in it.
pub(super) fn next_epoch(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection
        .prepare_cached("UPDATE meta SET epoch = epoch + 1 RETURNING epoch")?
        .query_row([], |row| row.get(0))
}

/// What the serving process knows.
pub(super) struct ChangeFeed {
    follower: Arc<dyn Subscriber>,
    /// The follower has applied everything up to this epoch.
    epoch: i64,
    /// SQLite's counter of other connections' commits when we last looked.
    seen: Option<i64>,
}

/// Takes the place of the one who serves. The lock says to other processes that we do; it is free
/// when we end in whatever way.
pub(super) fn take_over(files: &DatabaseFiles) -> Result<FileLock, StoreError> {
    files.serving(TAKE_OVER).map_err(|error| match error {
        disk::Error::Locked { .. } => StoreError::Served {
            path: files.database().to_owned(),
        },
        error => error.into(),
    })
}

impl ChangeFeed {
    /// Hands over all that may be accepted.
    pub(super) fn open(
        connection: &Connection,
        follower: Arc<dyn Subscriber>,
        _serving: &FileLock,
    ) -> Result<Self, StoreError> {
        let mut feed = Self {
            follower,
            epoch: -1,
            seen: None,
        };
        feed.follow(connection)?;
        Ok(feed)
    }

    /// Hands over what has changed, and acknowledges it if others have changed it.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version = data_version(connection)?;
        if self.seen == Some(version) && epoch(connection)? == self.epoch {
            return Ok(());
        }
        self.follow(connection)
    }

    fn follow(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version = data_version(connection)?;
        // One read transaction, so that rows and epoch belong together.
        let reading = connection.unchecked_transaction()?;
        let epoch = epoch(connection)?;
        if epoch != self.epoch {
            let mut changes = Vec::new();
            let mut tenants = connection
                .prepare_cached(&format!("SELECT {TENANT} FROM tenants WHERE changed > ?1"))?;
            for tenant in tenants.query_map([self.epoch], tenant)? {
                changes.push(Change::Tenant(Box::new(tenant?)));
            }
            // At the start, revoked keys are of no interest to anybody.
            let mut keys = connection.prepare_cached(&format!(
                "SELECT {KEY} FROM api_keys WHERE changed > ?1 AND (revoked_at IS NULL OR ?1 >= 0)"
            ))?;
            for key in keys.query_map([self.epoch], key)? {
                changes.push(Change::Key(Box::new(key?)));
            }
            self.follower.apply(changes);
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

/// Waits until the serving process has applied `epoch`, or none serves.
pub(super) fn confirm(
    connection: &Connection,
    files: &DatabaseFiles,
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
            Ok(_nobody_serves) => return Ok(()),
            Err(disk::Error::Locked { .. }) if start.elapsed() < CONFIRMATION => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(disk::Error::Locked { .. }) => {
                return Err(StoreError::Unconfirmed {
                    path: files.database().to_owned(),
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

//! The writer: one thread of each process through which its changes go.
//!
//! A batch begins by locking the row of the epoch, so that the batches of all processes follow one
//! another, and the epochs are those of the commits.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::connection::PostgresConnection;
use super::replica::Confirmer;
use super::{CHANNEL, PostgresError, PostgresUrl, StoreError};
use crate::store::sql::{WriteJob, epoch};

/// How often a writer that could not write tries again.
const RETRY: Duration = Duration::from_secs(1);
/// The most changes that share one commit.
const BATCH: usize = 256;
/// Begins a batch, in one message. A process that is paused in it must not keep the others waiting,
/// nor one that waits for the lock outlive its caller.
const BEGIN: &str = "BEGIN; \
    SET LOCAL synchronous_commit = on; \
    SET LOCAL lock_timeout = '5s'; \
    SET LOCAL idle_in_transaction_session_timeout = '5s'; \
    SHOW synchronous_commit; \
    SELECT epoch FROM meta FOR UPDATE; \
    SAVEPOINT job";

pub(super) struct PostgresWriter {
    pub(super) url: PostgresUrl,
    pub(super) confirmer: Confirmer,
    pub(super) healthy: Arc<AtomicBool>,
    pub(super) runtime: Rc<Runtime>,
    pub(super) connection: Option<PostgresConnection>,
}

/// Why a batch has no confirmed commit.
enum BatchError {
    /// Nothing of it is written.
    Failed(StoreError),
    /// It may be written.
    Unknown(StoreError),
}

impl<E: Into<StoreError>> From<E> for BatchError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl PostgresWriter {
    pub(super) fn run(mut self, jobs: &Receiver<Box<dyn WriteJob>>) {
        loop {
            let mut batch = match jobs.recv_timeout(RETRY) {
                Ok(first) => vec![first],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if batch.is_empty() {
                if !self.healthy.load(Ordering::Relaxed) {
                    // A server that is not ready may get no change that would show it.
                    let outcome = self.commit(&mut Vec::new());
                    self.set_health(&outcome);
                }
                continue;
            }
            batch.extend(jobs.try_iter().take(BATCH - 1));
            self.turn(batch);
        }
    }

    /// Commits a batch, and answers it when its changes are in effect.
    fn turn(&mut self, mut batch: Vec<Box<dyn WriteJob>>) {
        let outcome = self.commit(&mut batch);
        self.set_health(&outcome);
        // A repeated revocation begins no epoch, but the one before may still be unconfirmed.
        if let Ok((before, after)) = outcome
            && (before != after || batch.iter().any(|job| job.is_strict()))
        {
            let database = self.url.to_string();
            return self.confirmer.answer(after, batch, database);
        }
        for job in batch {
            job.answer(match &outcome {
                Ok(_) => None,
                Err(BatchError::Failed(error)) => Some(StoreError::Uncommitted(error.to_string())),
                Err(BatchError::Unknown(error)) => Some(StoreError::Unknown {
                    reason: error.to_string(),
                }),
            });
        }
    }

    fn set_health(&self, outcome: &Result<(i64, i64), BatchError>) {
        let healthy = outcome.is_ok();
        if self.healthy.swap(healthy, Ordering::Relaxed) != healthy {
            match outcome {
                Ok(_) => tracing::info!("the registry can be written again"),
                Err(BatchError::Failed(error) | BatchError::Unknown(error)) => {
                    tracing::error!(%error, "the registry cannot be written");
                }
            }
        }
    }

    /// Runs a batch in one transaction, each job on its own; returns the epochs before and after.
    fn commit(&mut self, batch: &mut [Box<dyn WriteJob>]) -> Result<(i64, i64), BatchError> {
        let (connection, before) = self.begin()?;
        let written = write(&connection, before, batch);
        if written.is_ok() {
            self.connection = Some(connection);
        }
        // After an error the connection is closed, which ends its transaction.
        written
    }

    /// Begins a transaction, on a new connection if the last one has ended; returns the epoch.
    fn begin(&mut self) -> Result<(PostgresConnection, i64), StoreError> {
        if let Some(connection) = self.connection.take() {
            match begin(&connection) {
                Ok(epoch) => return Ok((connection, epoch)),
                Err(_) if connection.is_closed() => {}
                Err(error) => return Err(error),
            }
        }
        let connection = PostgresConnection::open(&self.url, &self.runtime)?;
        let epoch = begin(&connection)?;
        Ok((connection, epoch))
    }
}

fn begin(connection: &PostgresConnection) -> Result<i64, StoreError> {
    connection.forget_warnings();
    let rows = connection.script(BEGIN)?;
    match &*rows {
        [synchronous, epoch] if synchronous == "on" => epoch
            .parse()
            .map_err(|_| StoreError::Invalid { what: "epoch" }),
        [_, _] => Err(PostgresError::connection("`synchronous_commit` cannot be set").into()),
        _ => Err(StoreError::Invalid { what: "epoch" }),
    }
}

/// Runs the jobs and commits.
fn write(
    connection: &PostgresConnection,
    before: i64,
    batch: &mut [Box<dyn WriteJob>],
) -> Result<(i64, i64), BatchError> {
    for job in batch {
        connection.script(match job.run(connection) {
            true => "RELEASE job; SAVEPOINT job",
            false => "ROLLBACK TO job",
        })?;
    }
    let after = epoch(connection)?;
    let committed = match after == before {
        true => connection.script("COMMIT"),
        false => connection.script(&format!("NOTIFY {CHANNEL}; COMMIT")),
    };
    match committed {
        // The commit stands on this server, but perhaps on no other.
        _ if connection.has_warned() => Err(BatchError::Unknown(
            PostgresError::connection("PostgreSQL has warned about the commit").into(),
        )),
        Ok(_) => Ok((before, after)),
        Err(error) if error.is_definite() => Err(error.into()),
        Err(error) => Err(BatchError::Unknown(error.into())),
    }
}

//! Reads the changes of all processes, and hands them to the subscriber of this one.
//!
//! It has a thread and a connection of its own, so that a stuck commit does not keep this process
//! from learning of other changes.

use std::rc::Rc;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::cluster::Cluster;
use super::connection::PostgresConnection;
use super::leases::OlderEpoch;
use super::link::{BARRIER, SYNCHRONOUS};
use super::{PostgresError, PostgresUrl, StoreError, runtime};
use crate::lease::ChangeReader;
use crate::store::sql::{SqlSession, WorkerThread, epoch, registry_changes};
use crate::store::{Epoch, StoreFuture, Subscriber};

/// The longest time without the changes after which they can still be caught up with: records of
/// ended child keys are deleted some time later.
const LONGEST_GAP: Duration = Duration::from_secs(12 * 60 * 60);

type Answer = oneshot::Sender<Result<Epoch, StoreError>>;

/// The reader of the changes of a serving process.
pub(super) struct PostgresChanges {
    thread: WorkerThread<Answer>,
    subscriber: Arc<OnceLock<Arc<dyn Subscriber>>>,
}

impl PostgresChanges {
    pub(super) fn start(url: &PostgresUrl, older: OlderEpoch) -> Result<Arc<Self>, StoreError> {
        let subscriber = Arc::new(OnceLock::new());
        let (url, shared) = (url.clone(), subscriber.clone());
        let thread = WorkerThread::spawn("registry-changes", move |calls| match runtime() {
            Ok(runtime) => Feed::new(url, runtime, shared, older).run(&calls),
            Err(error) => tracing::error!(%error, "the registry cannot be followed"),
        })?;
        Ok(Arc::new(Self { thread, subscriber }))
    }

    /// Sets the subscriber, before the first call.
    pub(super) fn subscribe(&self, subscriber: Arc<dyn Subscriber>) {
        // There is one call.
        let _ = self.subscriber.set(subscriber);
    }
}

impl ChangeReader for PostgresChanges {
    fn catch_up(&self) -> StoreFuture<'_, Epoch> {
        let (answer, answered) = oneshot::channel();
        let sent = self.thread.send(answer);
        Box::pin(async move {
            sent?;
            answered.await.map_err(|_| StoreError::Ended)?
        })
    }
}

struct Feed {
    url: PostgresUrl,
    runtime: Rc<Runtime>,
    subscriber: Arc<OnceLock<Arc<dyn Subscriber>>>,
    connection: Option<PostgresConnection>,
    /// The subscriber has everything up to this epoch; -1 before the first read.
    applied: i64,
    /// The cluster that is followed.
    cluster: Option<Cluster>,
    /// Why this process must not follow any more, until it is restarted.
    refused: Option<Refusal>,
    /// An older copy of the database stays one when its epochs reach those served before: the
    /// changes of the two are not the same.
    older: OlderEpoch,
    /// When the changes were last read.
    read_at: Instant,
}

#[derive(Clone, Copy)]
enum Refusal {
    /// The epoch of a database that is older than what was served.
    Older(i64),
    OtherCluster,
    Gap,
}

impl Feed {
    fn new(
        url: PostgresUrl,
        runtime: Rc<Runtime>,
        subscriber: Arc<OnceLock<Arc<dyn Subscriber>>>,
        older: OlderEpoch,
    ) -> Self {
        Self {
            url,
            runtime,
            subscriber,
            connection: None,
            applied: -1,
            cluster: None,
            refused: None,
            older,
            read_at: Instant::now(),
        }
    }

    fn run(mut self, calls: &Receiver<Answer>) {
        for answer in calls {
            let result = self.turn().map(Epoch);
            // The caller may have gone away.
            let _ = answer.send(result);
        }
    }

    /// Reads and applies new changes, on a new connection if the last one has failed; returns the
    /// epoch.
    fn turn(&mut self) -> Result<i64, StoreError> {
        if let Some(found) = self.older.get() {
            self.refused = Some(Refusal::Older(*found));
        }
        if self.refused.is_none() {
            let connection = match self.connection.take() {
                Some(connection) if !connection.is_closed() => connection,
                _ => self.connect()?,
            };
            if self.refused.is_none() && self.follow(&connection)? {
                self.connection = Some(connection);
                self.read_at = Instant::now();
            }
        }
        match self.refused {
            Some(refusal) => Err(self.refusal(refusal)),
            None => Ok(self.applied),
        }
    }

    fn connect(&mut self) -> Result<PostgresConnection, StoreError> {
        let connection = PostgresConnection::open(&self.url, &self.runtime)?;
        if let Some(followed) = &self.cluster {
            if followed.system != connection.cluster.system {
                self.refused = Some(Refusal::OtherCluster);
            } else if self.read_at.elapsed() > LONGEST_GAP {
                self.refused = Some(Refusal::Gap);
            } else if followed.timeline != connection.cluster.timeline {
                tracing::warn!("a standby was promoted");
            }
        }
        self.cluster = Some(connection.cluster.clone());
        Ok(connection)
    }

    /// Reads and applies new changes; returns `false` if the database is an older copy.
    fn follow(&mut self, connection: &PostgresConnection) -> Result<bool, StoreError> {
        let session: &dyn SqlSession = connection;
        // One snapshot, so that rows and epoch belong together.
        connection.forget_warnings();
        connection.script(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; {SYNCHRONOUS}"
        ))?;
        let found = epoch(session)?;
        if found < self.applied {
            self.refused = Some(Refusal::Older(*self.older.get_or_init(|| found)));
            return Ok(false);
        }
        let changes = match found == self.applied {
            true => Vec::new(),
            false => registry_changes(session, self.applied)?,
        };
        // Nothing is applied that a failover may take back.
        connection.script(&format!("{BARRIER}; COMMIT"))?;
        if connection.has_warned() {
            let message = "PostgreSQL has warned about the commit";
            return Err(PostgresError::connection(message).into());
        }
        if found != self.applied
            && let Some(subscriber) = self.subscriber.get()
        {
            subscriber.apply(Epoch(found), changes);
            self.applied = found;
        }
        Ok(true)
    }

    fn refusal(&self, refusal: Refusal) -> StoreError {
        match refusal {
            Refusal::Older(found) => StoreError::OlderDatabase {
                found,
                served: self.applied,
            },
            Refusal::OtherCluster => StoreError::OtherCluster {
                database: self.url.to_string(),
            },
            Refusal::Gap => StoreError::Gap,
        }
    }
}

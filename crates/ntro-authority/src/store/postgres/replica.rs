//! This process beside the others that use the database: its lease, and the wait for theirs.

use std::num::NonZeroU32;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::changes::PostgresChanges;
use super::leases::{OlderEpoch, PostgresLeases};
use super::link::Link;
use super::receipts::Receipts;
use super::report::PostgresReport;
use super::{CHANNEL, PostgresError, PostgresUrl, StoreError};
use crate::lease::{
    BootClock, ChangeReader as _, Lease, Replica, ReplicaId, ReplicaReads, Revoker,
    SystemBootClock, Terms,
};
use crate::store::sql::WriteJob;
use crate::store::{Epoch, Subscriber};

/// How often changes are looked for where notifications do not arrive.
const POLL: Duration = Duration::from_millis(20);
/// How long a notification may take.
const ECHO: Duration = Duration::from_secs(3);
/// How often a listener without a connection tries to connect.
const RECONNECT: Duration = Duration::from_millis(500);
/// How often the standbys are looked at.
const LOOK: Duration = Duration::from_secs(10);
/// How long a start waits for its first lease, before it serves without one.
const FIRST_LEASE: Duration = Duration::from_secs(5);

/// A thread with a runtime for leases and confirmations. Dropping it ends the lease.
pub(super) struct LeaseThread {
    runtime: Handle,
    /// Ends the thread when it is dropped.
    alive: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for LeaseThread {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl LeaseThread {
    fn start() -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StoreError::Thread)?;
        let handle = runtime.handle().clone();
        let (alive, mut ended) = watch::channel(());
        let thread = thread::Builder::new()
            .name("registry-leases".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // Fails when the other end is gone.
                    while ended.changed().await.is_ok() {}
                });
                runtime.shutdown_timeout(Duration::from_secs(1));
            })
            .map_err(StoreError::Thread)?;
        Ok(Self {
            runtime: handle,
            alive: Some(alive),
            thread: Some(thread),
        })
    }

    /// Runs a future on the thread and waits for it.
    fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            // The caller waits.
            let _ = sender.send(future.await);
        });
        receiver.recv().map_err(|_| StoreError::Ended)
    }
}

/// Waits until changes are in effect on every replica, and answers them.
#[derive(Clone)]
pub(super) struct Confirmer {
    runtime: Handle,
    process: Process,
    leases: Arc<PostgresLeases>,
    receipts: Arc<Receipts>,
}

/// The role of this process.
#[derive(Clone)]
enum Process {
    /// It serves the database.
    Serving(Arc<Replica>),
    /// It changes the database beside those that serve it.
    Beside(Arc<Revoker>),
}

impl Confirmer {
    /// Starts a confirmer for a process that does not serve.
    pub(super) fn beside(url: &PostgresUrl) -> Result<(Self, LeaseThread), StoreError> {
        let thread = LeaseThread::start()?;
        let leases = PostgresLeases::new(url, thread.runtime.clone(), OlderEpoch::default());
        let revoker = Revoker::new(leases.clone(), Arc::new(SystemBootClock), Terms::DEFAULT);
        let confirmer = Self {
            runtime: thread.runtime.clone(),
            process: Process::Beside(Arc::new(revoker)),
            leases,
            receipts: Arc::default(),
        };
        Ok((confirmer, thread))
    }

    /// Answers the changes of a commit, when they are in effect or the wait for that has ended.
    pub(super) fn answer(&self, epoch: i64, batch: Vec<Box<dyn WriteJob>>, database: String) {
        let Self {
            process,
            leases,
            receipts,
            ..
        } = self.clone();
        self.runtime.spawn(async move {
            let confirmed = match &process {
                Process::Serving(replica) => {
                    // Spares the wait for the notification. The revoker finds out without it.
                    let _ = replica.catch_up().await;
                    replica.revoker().confirm(Epoch(epoch)).await
                }
                Process::Beside(revoker) => revoker.confirm(Epoch(epoch)).await,
            };
            let is_strict = batch.iter().any(|job| job.is_strict());
            let receipt = confirmed.as_ref().ok().filter(|_| is_strict);
            let receipt = receipt.map(|receipt| receipts.add(receipt));
            for job in batch {
                let failure =
                    (confirmed.is_err() && job.is_strict()).then(|| StoreError::Unconfirmed {
                        database: database.clone(),
                    });
                job.answer(failure);
            }
            if let Some(receipt) = receipt
                && let Err(error) = leases.keep_receipt(epoch, receipt).await
            {
                tracing::warn!(%error, "a receipt could not be written");
            }
        });
    }

    /// Returns the receipts of this process.
    pub(super) fn receipts(&self) -> Arc<Receipts> {
        self.receipts.clone()
    }
}

/// A process that is about to serve the database.
pub(in crate::store) struct Joining {
    url: PostgresUrl,
    thread: LeaseThread,
    changes: Arc<PostgresChanges>,
    leases: Arc<PostgresLeases>,
    replica: Arc<Replica>,
    reads: ReplicaReads,
}

/// What a serving process shows of its replica.
pub(in crate::store) struct ReplicaView {
    pub(in crate::store) replica: Arc<Replica>,
    pub(in crate::store) lease: Arc<Lease>,
    /// The last report, while the database can be reached.
    pub(in crate::store) report: watch::Receiver<Option<PostgresReport>>,
}

/// What a serving process holds until it ends.
pub(super) struct Serving {
    thread: LeaseThread,
    replica: Arc<Replica>,
    running: tokio::task::AbortHandle,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.running.abort();
        let replica = self.replica.clone();
        // Without an answer, the next revoker fences the row.
        let _ = self.thread.wait(async move { replica.leave().await });
    }
}

impl Joining {
    pub(super) fn new(url: &PostgresUrl, clock: Arc<dyn BootClock>) -> Result<Self, StoreError> {
        let thread = LeaseThread::start()?;
        let older = OlderEpoch::default();
        let changes = PostgresChanges::start(url, older.clone())?;
        let leases = PostgresLeases::new(url, thread.runtime.clone(), older);
        let (replica, reads) = Replica::new(
            ReplicaId::new(),
            leases.clone(),
            changes.clone(),
            clock,
            Terms::DEFAULT,
        );
        Ok(Self {
            url: url.clone(),
            thread,
            changes,
            leases,
            replica: Arc::new(replica),
            reads,
        })
    }

    pub(super) const fn url(&self) -> &PostgresUrl {
        &self.url
    }

    /// Returns the lease of this process.
    pub(in crate::store) fn lease(&self) -> Arc<Lease> {
        self.replica.lease()
    }

    /// Loads every live key into the subscriber, and takes a lease.
    pub(super) fn serve(
        self,
        subscriber: Arc<dyn Subscriber>,
    ) -> Result<(Confirmer, ReplicaView, Serving), StoreError> {
        let Self {
            url,
            thread,
            changes,
            leases,
            replica,
            reads,
        } = self;
        changes.subscribe(subscriber.clone());
        // The replica loads as well, but repeats a load that fails.
        thread.wait(async move { changes.catch_up().await })??;
        let (reports, report) = watch::channel(None);
        let running = {
            let replica = replica.clone();
            thread.runtime.spawn(async move {
                let listener = Listener {
                    url,
                    replica: replica.clone(),
                    subscriber,
                    reports,
                };
                tokio::join!(replica.run(reads), listener.run());
            })
        };
        let lease = replica.lease();
        let view = ReplicaView {
            replica: replica.clone(),
            lease: lease.clone(),
            report,
        };
        let first = async move {
            while !lease.holds() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let held = thread.wait(async { tokio::time::timeout(FIRST_LEASE, first).await })?;
        if held.is_err() {
            tracing::error!("there is no lease yet: every key is refused with 503 until there is");
        }
        let confirmer = Confirmer {
            runtime: thread.runtime.clone(),
            process: Process::Serving(replica.clone()),
            leases,
            receipts: Arc::default(),
        };
        let serving = Serving {
            thread,
            replica,
            running: running.abort_handle(),
        };
        Ok((confirmer, view, serving))
    }
}

/// Catches up at every notification, or often where none arrive, and looks at the database.
struct Listener {
    url: PostgresUrl,
    replica: Arc<Replica>,
    subscriber: Arc<dyn Subscriber>,
    reports: watch::Sender<Option<PostgresReport>>,
}

impl Listener {
    async fn run(&self) {
        loop {
            if let Err(error) = self.listen().await {
                tracing::warn!(%error, "PostgreSQL's notifications do not arrive");
            }
            self.reports.send_replace(None);
            tokio::time::sleep(RECONNECT).await;
        }
    }

    /// Listens while a connection lasts.
    async fn listen(&self) -> Result<(), PostgresError> {
        let (link, hears) = subscribe(&self.url).await?;
        if !hears {
            tracing::warn!(
                "PostgreSQL's notifications do not arrive, as behind a pooler in transaction \
                 mode: changes of other processes are looked for every {} ms",
                POLL.as_millis()
            );
        }
        while !link.is_closed() {
            self.look(&link, hears).await?;
            let next = Instant::now() + LOOK;
            while !link.is_closed() && Instant::now() < next {
                // A failure is repeated by the next renewal.
                let _ = self.replica.catch_up().await;
                match hears {
                    true => drop(timeout_at(next, link.notified()).await),
                    false => tokio::time::sleep(POLL).await,
                }
            }
        }
        Ok(())
    }

    async fn look(&self, link: &Link, hears: bool) -> Result<(), PostgresError> {
        let report = PostgresReport::read(link, hears).await?;
        self.reports.send_replace(Some(report));
        let count = link
            .script("SELECT count(*) FROM lease WHERE fenced = 0")
            .await?;
        let count = count.first().and_then(|count| count.parse().ok());
        self.subscriber.share(count.unwrap_or(NonZeroU32::MIN));
        Ok(())
    }
}

/// Reports on a database.
pub(super) async fn report(url: &PostgresUrl) -> Result<PostgresReport, PostgresError> {
    let (link, hears) = subscribe(url).await?;
    PostgresReport::read(&link, hears).await
}

/// Subscribes to notifications, and returns whether they arrive.
async fn subscribe(url: &PostgresUrl) -> Result<(Link, bool), PostgresError> {
    let link = Link::open(url).await?;
    link.script(&format!("LISTEN {CHANNEL}")).await?;
    // A pooler may run both on one connection to the server, which hears itself.
    let other = Link::open(url).await?;
    other.script(&format!("NOTIFY {CHANNEL}")).await?;
    let hears = tokio::time::timeout(ECHO, link.notified()).await.is_ok();
    Ok((link, hears))
}

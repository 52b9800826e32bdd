//! The follower: hands the changes of all processes to the subscriber of this one.
//!
//! It has a thread and a connection of its own, so that a stuck commit does not keep it from
//! learning of others. Notifications are a hint; it asks for the epoch in any case.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::cluster::Cluster;
use super::connection::PostgresConnection;
use super::{CHANNEL, PostgresUrl, StoreError, runtime};
use crate::store::sql::{SqlSession, epoch, registry_changes};
use crate::store::{Epoch, Subscriber};

/// How often the epoch is asked for where notifications arrive.
const POLL: Duration = Duration::from_millis(200);
/// How often it is asked for where none arrive, behind a pooler.
const FAST_POLL: Duration = Duration::from_millis(20);
/// How long a notification to oneself may take.
const ECHO: Duration = Duration::from_secs(2);
/// How long a change waits until this process has applied it.
const APPLIED: Duration = Duration::from_secs(5);
/// How often a follower without a connection tries to connect.
const RECONNECT: Duration = Duration::from_millis(500);
/// The longest time without the changes after which they can still be caught up with: records of
/// ended child keys are deleted some time later.
const LONGEST_GAP: Duration = Duration::from_secs(12 * 60 * 60);

/// The follower of a process, as its other threads see it.
pub(super) struct Follower {
    applied: Mutex<i64>,
    has_applied: Condvar,
    following: AtomicBool,
    ended: AtomicBool,
    wake: Notify,
}

impl Follower {
    /// Waits until the subscriber has the changes of an epoch, for a bounded time; returns whether
    /// it has.
    pub(super) fn reach(&self, epoch: i64) -> bool {
        self.wake.notify_one();
        let applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        let (applied, _) = self
            .has_applied
            .wait_timeout_while(applied, APPLIED, |applied| *applied < epoch)
            .unwrap_or_else(PoisonError::into_inner);
        *applied >= epoch
    }

    /// Returns whether the last attempt to read the changes has succeeded.
    pub(super) fn is_following(&self) -> bool {
        self.following.load(Ordering::Relaxed)
    }
}

/// The thread of a follower. Dropping it ends the thread and waits for it.
pub(super) struct FollowerThread {
    follower: Arc<Follower>,
    handle: Option<JoinHandle<()>>,
}

impl Drop for FollowerThread {
    fn drop(&mut self) {
        self.follower.ended.store(true, Ordering::Relaxed);
        self.follower.wake.notify_one();
        if let Some(handle) = self.handle.take() {
            // A panic was reported when it happened.
            let _ = handle.join();
        }
    }
}

/// Starts a follower. The subscriber has every key before this returns.
pub(super) fn start(
    url: &PostgresUrl,
    subscriber: Arc<dyn Subscriber>,
    healthy: Arc<AtomicBool>,
) -> Result<(FollowerThread, Arc<Follower>), StoreError> {
    let follower = Arc::new(Follower {
        applied: Mutex::new(-1),
        has_applied: Condvar::new(),
        following: AtomicBool::new(false),
        ended: AtomicBool::new(false),
        wake: Notify::new(),
    });
    let (ready, loaded) = mpsc::sync_channel(1);
    let (url, shared) = (url.clone(), follower.clone());
    let handle = thread::Builder::new()
        .name("registry-follower".to_owned())
        .spawn(move || {
            // A follower that has panicked follows no more.
            let _guard = Unfollow(shared.clone(), healthy.clone());
            let first = runtime().and_then(|runtime| {
                let mut feed = Feed {
                    url,
                    subscriber,
                    shared,
                    runtime,
                    connection: None,
                    cluster: None,
                    refused: None,
                    followed_at: Instant::now(),
                };
                feed.turn()?;
                Ok(feed)
            });
            match first {
                Ok(feed) => {
                    feed.shared.following.store(true, Ordering::Relaxed);
                    // The caller waits.
                    let _ = ready.send(Ok(()));
                    feed.run(&healthy);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        })
        .map_err(StoreError::Thread)?;
    let thread = FollowerThread {
        follower: follower.clone(),
        handle: Some(handle),
    };
    loaded.recv().map_err(|_| StoreError::Ended)??;
    Ok((thread, follower))
}

struct Unfollow(Arc<Follower>, Arc<AtomicBool>);

impl Drop for Unfollow {
    fn drop(&mut self) {
        self.0.following.store(false, Ordering::Relaxed);
        self.1.store(false, Ordering::Relaxed);
    }
}

/// A connection with a subscription to notifications.
struct Subscription {
    connection: PostgresConnection,
    poll: Duration,
}

struct Feed {
    url: PostgresUrl,
    subscriber: Arc<dyn Subscriber>,
    shared: Arc<Follower>,
    runtime: Rc<Runtime>,
    connection: Option<Subscription>,
    /// The cluster that is followed.
    cluster: Option<Cluster>,
    /// Why this process must not follow any more, until it is restarted.
    refused: Option<Refusal>,
    /// When the changes were last read.
    followed_at: Instant,
}

#[derive(Clone, Copy)]
enum Refusal {
    /// The epoch of a database that is older than what was served.
    Older(i64),
    OtherCluster,
    Gap,
}

impl Feed {
    fn run(mut self, healthy: &AtomicBool) {
        while !self.shared.ended.load(Ordering::Relaxed) {
            let result = self.turn();
            let follows = result.is_ok();
            if self.shared.following.swap(follows, Ordering::Relaxed) != follows {
                match result {
                    Ok(()) => tracing::info!("the changes of the registry are followed again"),
                    Err(error) => {
                        tracing::error!(%error, "the changes of the registry cannot be followed");
                    }
                }
            }
            if !follows {
                healthy.store(false, Ordering::Relaxed);
            }
            self.wait();
        }
    }

    /// Waits for a hint that there are changes, or until it is time to ask.
    fn wait(&self) {
        let wake = self.shared.wake.notified();
        self.runtime.block_on(async {
            match &self.connection {
                Some(Subscription { connection, poll }) => tokio::select! {
                    () = wake => {}
                    () = connection.notified() => {}
                    () = tokio::time::sleep(*poll) => {}
                },
                // A call that waits makes no connection come sooner.
                None => tokio::time::sleep(RECONNECT).await,
            }
        });
    }

    /// Reads and applies new changes, on a new connection if the last one has failed.
    fn turn(&mut self) -> Result<(), StoreError> {
        if let Some(refusal) = self.refused {
            return Err(self.refusal(refusal));
        }
        let subscription = match self.connection.take() {
            Some(subscription) if !subscription.connection.is_closed() => subscription,
            _ => self.connect()?,
        };
        let followed = self.follow(&subscription.connection);
        if followed.is_ok() {
            self.connection = Some(subscription);
            self.followed_at = Instant::now();
        }
        followed
    }

    fn connect(&mut self) -> Result<Subscription, StoreError> {
        let connection = PostgresConnection::open(&self.url, &self.runtime)?;
        if let Some(followed) = &self.cluster {
            if followed.system != connection.cluster.system {
                self.refused = Some(Refusal::OtherCluster);
                return Err(self.refusal(Refusal::OtherCluster));
            }
            if followed.timeline != connection.cluster.timeline {
                tracing::warn!("a standby was promoted");
            }
            if self.followed_at.elapsed() > LONGEST_GAP {
                self.refused = Some(Refusal::Gap);
                return Err(self.refusal(Refusal::Gap));
            }
        }
        self.cluster = Some(connection.cluster.clone());
        let poll = match hears_itself(&connection)? {
            true => POLL,
            false => {
                tracing::warn!(
                    "PostgreSQL's notifications do not arrive, as behind a pooler in transaction \
                     mode: changes of other processes are looked for every {} ms",
                    FAST_POLL.as_millis()
                );
                FAST_POLL
            }
        };
        Ok(Subscription { connection, poll })
    }

    fn follow(&mut self, connection: &PostgresConnection) -> Result<(), StoreError> {
        let session: &dyn SqlSession = connection;
        let applied = self.applied();
        if epoch(session)? == applied {
            return Ok(());
        }
        // One snapshot, so that rows and epoch belong together.
        connection.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let found = epoch(session)?;
        // An older copy of the database stays one when its epochs reach those served before: the
        // changes of the two are not the same.
        if found < applied {
            self.refused = Some(Refusal::Older(found));
            return Err(self.refusal(Refusal::Older(found)));
        }
        let changes = registry_changes(session, applied)?;
        connection.script("COMMIT")?;
        self.subscriber.apply(Epoch(found), changes);
        *self.lock() = found;
        self.shared.has_applied.notify_all();
        Ok(())
    }

    fn refusal(&self, refusal: Refusal) -> StoreError {
        match refusal {
            Refusal::Older(found) => StoreError::OlderDatabase {
                found,
                served: self.applied(),
            },
            Refusal::OtherCluster => StoreError::OtherCluster {
                database: self.url.to_string(),
            },
            Refusal::Gap => StoreError::Gap,
        }
    }

    fn applied(&self) -> i64 {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, i64> {
        let applied = self.shared.applied.lock();
        applied.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Subscribes to notifications, and returns whether they arrive.
fn hears_itself(connection: &PostgresConnection) -> Result<bool, StoreError> {
    connection.script(&format!("LISTEN {CHANNEL}"))?;
    connection.script(&format!("NOTIFY {CHANNEL}"))?;
    let heard = async { tokio::time::timeout(ECHO, connection.notified()).await };
    Ok(connection.block_on(heard).is_ok())
}

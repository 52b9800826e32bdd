//! The open connections: their number, how long they may be idle, and shutdown.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::MissedTickBehavior;

use super::connection::serve_connection;
use super::idle_clock::IdleClock;
use super::listener::{Listener, accept};
use super::service::AuthorityService;
use crate::metrics::{self, METRICS};

/// The least time between two sweeps over the connections.
const SHORTEST_SWEEP: Duration = Duration::from_millis(50);
/// A connection that is idle for this long may be closed to make room for others.
const MAY_BE_CLOSED: Duration = Duration::from_secs(1);
/// The part of all connections that is closed then: looking for them costs a step for each.
const CLOSED_TOGETHER: usize = 16;
/// How often room is looked for while there is none.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(100);

/// The limits of connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections at one time. For more, those that are idle for the longest time are closed; if
    /// none is idle, they wait in the system's queue.
    pub(crate) connections: usize,
    /// The time for a TLS handshake, and for the head of a request to arrive after that or after a
    /// response.
    pub(crate) head: Duration,
    /// The time for open requests to finish after shutdown begins.
    pub(crate) drain: Duration,
}

/// Serves until `shutdown` is done, then lets open requests finish, for a bounded time.
///
/// A request costs two stores here, but no timer and no shared lock: a periodic sweep over all
/// connections finds those that are idle for too long.
pub(crate) async fn serve(
    mut listeners: Vec<Listener>,
    service: AuthorityService,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
) {
    let mut tasks = JoinSet::new();
    let mut open: HashMap<Id, OpenConnection> = HashMap::new();
    let mut sweep = tokio::time::interval(bounds.head.div_f32(4.0).max(SHORTEST_SWEEP));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                open.remove(&id);
            }
            _ = sweep.tick() => {
                open.values().filter(|one| one.clock.idle() >= bounds.head).for_each(OpenConnection::abort);
            }
            accepted = accept(&mut listeners), if tasks.len() < bounds.connections => {
                let (end, ending) = oneshot::channel();
                let clock = Arc::new(IdleClock::new());
                let connection = serve_connection(accepted, service.clone(), clock.clone(), ending);
                let task = tasks.spawn(connection);
                let _counted = METRICS.connection();
                open.insert(task.id(), OpenConnection { task, clock, _end: end, _counted });
                if tasks.len() == bounds.connections {
                    make_room(&open);
                }
            }
            () = tokio::time::sleep(LOOK_FOR_ROOM), if tasks.len() >= bounds.connections => {
                make_room(&open);
            }
        }
    }
    // Dropping the listeners makes the kernel refuse new connections.
    drop(listeners);
    drop(open);
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.drain, all).await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests under way were cut off");
    }
}

/// Closes connections that are idle for the longest time, so that a flood of them does not keep
/// others out.
fn make_room(open: &HashMap<Id, OpenConnection>) {
    let idle = open.values().map(|one| (one.clock.idle(), one));
    let mut idle: Vec<_> = idle.filter(|(time, _)| *time >= MAY_BE_CLOSED).collect();
    idle.sort_unstable_by_key(|(time, _)| std::cmp::Reverse(*time));
    for (_, one) in idle.iter().take(open.len().div_ceil(CLOSED_TOGETHER)) {
        METRICS.connections_evicted.add(1);
        one.abort();
    }
}

/// An open connection. Dropping it closes the connection after the current responses.
struct OpenConnection {
    task: AbortHandle,
    clock: Arc<IdleClock>,
    _end: oneshot::Sender<()>,
    _counted: metrics::OpenConnection,
}

impl OpenConnection {
    fn abort(&self) {
        tracing::debug!("an idle connection is closed");
        self.task.abort();
    }
}

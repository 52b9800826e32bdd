//! Connections: their number, the time a request may take to arrive, and shutdown.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::MissedTickBehavior;

use super::service::{AuthorityService, ServiceResponse};

/// The largest head of a request.
const LARGEST_HEAD: usize = 32 * 1024;
/// The pause after the system refuses a connection, most likely for lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(200);
/// The least time between two sweeps over the connections.
const SHORTEST_SWEEP: Duration = Duration::from_millis(50);

/// The limits of connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections at one time; more wait in the system's queue.
    pub(crate) connections: usize,
    /// The time for the head of a request to arrive, after the connection opens or a response.
    pub(crate) head: Duration,
    /// The time for open requests to finish after shutdown begins.
    pub(crate) drain: Duration,
}

/// Serves until `shutdown` is done, then lets open requests finish, for a bounded time.
///
/// A request costs two stores here, but no timer and no shared lock: a periodic sweep over all
/// connections finds those that are idle for too long.
pub(crate) async fn serve(
    listener: TcpListener,
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
                open.values().filter(|one| one.clock.is_idle_for(bounds.head)).for_each(OpenConnection::abort);
            }
            (stream, peer) = accept(&listener), if tasks.len() < bounds.connections => {
                let (end, ending) = oneshot::channel();
                let clock = Arc::new(IdleClock::new());
                let connection = serve_connection(stream, peer, service.clone(), clock.clone(), ending);
                let task = tasks.spawn(connection);
                open.insert(task.id(), OpenConnection { task, clock, _end: end });
            }
        }
    }
    // Dropping the listener makes the kernel refuse new connections.
    drop(listener);
    drop(open);
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.drain, all).await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests under way were cut off");
    }
}

/// An open connection. Dropping it closes the connection after the current response.
struct OpenConnection {
    task: AbortHandle,
    clock: Arc<IdleClock>,
    _end: oneshot::Sender<()>,
}

impl OpenConnection {
    fn abort(&self) {
        tracing::debug!("an idle connection is closed");
        self.task.abort();
    }
}

/// How long a connection has been without a request.
struct IdleClock {
    start: Instant,
    /// Milliseconds since `start`; [`IdleClock::BUSY`] while a request is handled.
    idle_since: AtomicU64,
}

impl IdleClock {
    const BUSY: u64 = u64::MAX;

    fn new() -> Self {
        Self {
            start: Instant::now(),
            idle_since: AtomicU64::new(0),
        }
    }

    fn busy(&self) {
        self.idle_since.store(Self::BUSY, Ordering::Relaxed);
    }

    fn idle(&self) {
        self.idle_since.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(Self::BUSY - 1)
    }

    fn is_idle_for(&self, timeout: Duration) -> bool {
        let since = self.idle_since.load(Ordering::Relaxed);
        let idle = Duration::from_millis(self.now().saturating_sub(since));
        since != Self::BUSY && idle >= timeout
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => match error.kind() {
                // The caller has closed the connection already.
                ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset => {}
                _ => {
                    tracing::error!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

/// Answers the requests of one connection until it ends. When `ending` resolves, the current
/// response is the last.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: AuthorityService,
    clock: Arc<IdleClock>,
    ending: oneshot::Receiver<()>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "responses may be delayed");
    }
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let response = service.answer(request, peer);
        let busy = match response {
            ServiceResponse::Ready(_) => {
                clock.idle();
                None
            }
            ServiceResponse::Pending(_) => {
                clock.busy();
                Some(clock.clone())
            }
        };
        async move {
            let response = match response {
                ServiceResponse::Ready(response) => response,
                ServiceResponse::Pending(response) => response.await,
            };
            if let Some(clock) = busy {
                clock.idle();
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(LARGEST_HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        _ = ending => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

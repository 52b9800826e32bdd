//! Connections: how many there may be, how long a request may take to arrive, how they end.

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

/// The head of a request, all of it.
const LARGEST_HEAD: usize = 32 * 1024;
/// After the system has refused another connection, most likely for want of descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// However impatient we are.
const SHORTEST_SWEEP: Duration = Duration::from_millis(50);

/// What connections are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// At one time; more wait in the system's queue.
    pub(crate) connections: usize,
    /// For the head of a request to arrive, also the first one and the one after an answer.
    pub(crate) head: Duration,
    /// For requests under way when the end was asked for.
    pub(crate) drain: Duration,
}

/// Serves until `shutdown` is done, then lets the requests under way end, for a bounded time.
///
/// Nothing here costs a request more than two stores: no timer is set for it and no lock is
/// shared. One sweep over all connections finds those that keep us waiting.
pub(crate) async fn serve(
    listener: TcpListener,
    service: AuthorityService,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
) {
    let mut tasks = JoinSet::new();
    let mut open: HashMap<Id, Open> = HashMap::new();
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
                open.values().filter(|one| one.pulse.waits_for(bounds.head)).for_each(Open::abort);
            }
            (stream, peer) = accept(&listener), if tasks.len() < bounds.connections => {
                let (end, ending) = oneshot::channel();
                let pulse = Arc::new(IdleClock::new());
                let talking = talk(stream, peer, service.clone(), pulse.clone(), ending);
                let task = tasks.spawn(talking);
                open.insert(task.id(), Open { task, pulse, _end: end });
            }
        }
    }
    // From here on the system refuses whoever knocks.
    drop(listener);
    drop(open);
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.drain, all).await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests under way were cut off");
    }
}

/// A connection that is open. Dropped, it ends after the answer that is under way.
struct Open {
    task: AbortHandle,
    pulse: Arc<IdleClock>,
    _end: oneshot::Sender<()>,
}

impl Open {
    fn abort(&self) {
        tracing::debug!("a connection kept us waiting");
        self.task.abort();
    }
}

/// Whether a connection's request is being handled, and since when it is not.
struct IdleClock {
    start: Instant,
    /// Milliseconds from the start; [`IdleClock::BUSY`] while a request is handled.
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

    fn waits_for(&self, timeout: Duration) -> bool {
        let since = self.idle_since.load(Ordering::Relaxed);
        let waited = Duration::from_millis(self.now().saturating_sub(since));
        since != Self::BUSY && waited >= timeout
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => match error.kind() {
                // The caller has gone away while it waited.
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

/// Answers one connection's requests until it ends, or until the answer that is under way when
/// `ending` is told.
async fn talk(
    stream: TcpStream,
    peer: SocketAddr,
    service: AuthorityService,
    pulse: Arc<IdleClock>,
    ending: oneshot::Receiver<()>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers may be delayed");
    }
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = service.answer(request, peer);
        let pulse = match answer {
            ServiceResponse::Ready(_) => {
                pulse.idle();
                None
            }
            ServiceResponse::Pending(_) => {
                pulse.busy();
                Some(pulse.clone())
            }
        };
        async move {
            let response = match answer {
                ServiceResponse::Ready(response) => response,
                ServiceResponse::Pending(answer) => answer.await,
            };
            if let Some(pulse) = pulse {
                pulse.idle();
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

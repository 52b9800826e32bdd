//! The socket that children connect to.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ntro_base::accept::accept;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::admit::OwnHosts;
use super::forward::Forwarder;
use super::framing::{CheckedStream, LARGEST_HEAD};
use super::hang_up::HangUp;

/// Connections at one time; more wait in the system's queue.
const LARGEST_CROWD: usize = 4_096;
/// How often unused connections to the server are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// A socket that is bound already, perhaps in another network namespace.
#[derive(Debug)]
pub enum Listener {
    /// A TCP address.
    Tcp(TcpListener),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    /// Takes a TCP listener of the standard library. Needs the runtime.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)?))
    }

    fn own_hosts(&self) -> io::Result<OwnHosts> {
        match self {
            Self::Tcp(listener) => Ok(OwnHosts::of_address(listener.local_addr()?)),
            #[cfg(unix)]
            Self::Unix(_) => Ok(OwnHosts::Any),
        }
    }

    async fn accept(&self) -> Stream {
        accept(|cx| match self {
            Self::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Stream::Tcp(stream)),
            #[cfg(unix)]
            Self::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Stream::Unix(stream)),
        })
        .await
    }
}

/// Serves until `shutdown` is done, then lets calls under way finish, for a bounded time.
pub(super) async fn serve(
    forwarder: Arc<Forwarder>,
    listener: Listener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let hosts = Arc::new(listener.own_hosts()?);
    let (end, ending) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = sweep.tick() => forwarder.close_idle(),
            stream = listener.accept(), if connections.len() < LARGEST_CROWD => {
                let (forwarder, hosts) = (Arc::clone(&forwarder), Arc::clone(&hosts));
                let ending = ending.clone();
                connections.spawn(async move {
                    match stream {
                        Stream::Tcp(stream) => {
                            if let Err(error) = stream.set_nodelay(true) {
                                tracing::debug!(%error, "answers may be delayed");
                            }
                            let hang_up = forwarder.asks().then(|| HangUp::of(&stream));
                            converse(stream, hang_up.flatten(), forwarder, hosts, ending).await;
                        }
                        #[cfg(unix)]
                        Stream::Unix(stream) => {
                            let hang_up = forwarder.asks().then(|| HangUp::of(&stream));
                            converse(stream, hang_up.flatten(), forwarder, hosts, ending).await;
                        }
                    }
                });
            }
        }
    }
    drop(listener);
    drop(ending);
    drop(end);
    let drain = forwarder.settings().timeouts.drain;
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain, all).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "calls under way were cut off"
        );
    }
    Ok(())
}

/// Answers the requests of one connection until it ends. When the sender of `ending` is gone, the
/// current answer is the last.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    hang_up: Option<HangUp>,
    forwarder: Arc<Forwarder>,
    hosts: Arc<OwnHosts>,
    mut ending: watch::Receiver<()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(forwarder.settings().timeouts.head)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(2 * LARGEST_HEAD);
    let hang_up = hang_up.map(Arc::new);
    let service = service_fn(move |request| {
        let (forwarder, hosts) = (Arc::clone(&forwarder), Arc::clone(&hosts));
        let hang_up = hang_up.clone();
        async move {
            let answer = forwarder.answer(request, &hosts, hang_up.as_deref());
            Ok::<_, Infallible>(answer.await)
        }
    });
    let stream = TokioIo::new(CheckedStream::new(stream));
    let mut connection = pin!(http.serve_connection(stream, service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = ending.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

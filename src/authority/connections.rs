//! Connections: how many there may be, how long a request may take to arrive, how they end.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::front::Front;

/// The head of a request, all of it.
const LARGEST_HEAD: usize = 32 * 1024;
/// After the system has refused another connection, most likely for want of descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// What connections are allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// At one time; more wait in the system's queue.
    pub(super) connections: usize,
    /// For the head of a request to arrive, also the first one and the one after an answer.
    pub(super) head: Duration,
    /// For requests under way when the end was asked for.
    pub(super) drain: Duration,
}

/// Serves until `shutdown` is done, then lets the requests under way end, for a bounded time.
pub(super) async fn serve(
    listener: TcpListener,
    front: Front,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
) {
    let (close, closing) = watch::channel(());
    let mut open = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            _ = open.join_next(), if !open.is_empty() => {}
            (stream, peer) = accept(&listener), if open.len() < bounds.connections => {
                open.spawn(talk(stream, peer, front.clone(), bounds.head, closing.clone()));
            }
        }
    }
    // From here on the system refuses whoever knocks.
    drop(listener);
    drop(close);
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.drain, all).await.is_err() {
        tracing::warn!(connections = open.len(), "requests under way were cut off");
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
/// `closing` is told.
async fn talk(
    stream: TcpStream,
    peer: SocketAddr,
    front: Front,
    head: Duration,
    mut closing: watch::Receiver<()>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers may be delayed");
    }
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let front = front.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            Ok::<_, Infallible>(front.answer(request).await)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(LARGEST_HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = closing.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

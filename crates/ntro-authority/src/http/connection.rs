//! One connection, from its TLS handshake to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::idle_clock::IdleClock;
use super::listener::Accepted;
use super::service::{AuthorityService, ServiceResponse};
use super::tls::HTTP2;

/// The largest head of a request.
const LARGEST_HEAD: u16 = 32 * 1024;
/// Requests under way on one connection of HTTP/2.
const MOST_STREAMS: u32 = 100;
/// Bytes of bodies that one connection of HTTP/2 may send before they are read: the least that the
/// protocol allows.
const WINDOW: u32 = 65_535;

/// Answers the requests of one connection until it ends. When `ending` resolves, the current
/// responses are the last.
pub(super) async fn serve_connection(
    accepted: Accepted,
    service: AuthorityService,
    clock: Arc<IdleClock>,
    ending: oneshot::Receiver<()>,
) {
    let connection = |peer| Connection {
        peer,
        service,
        clock,
        ending,
    };
    match accepted {
        Accepted::Tcp(stream, peer) => {
            send_immediately(&stream);
            connection(Some(peer)).http1(stream).await;
        }
        Accepted::Tls(stream, peer, acceptor) => {
            send_immediately(&stream);
            let mut connection = connection(Some(peer));
            let handshake = tokio::select! {
                handshake = acceptor.accept(stream) => handshake,
                _ = &mut connection.ending => return,
            };
            match handshake {
                Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => {
                    connection.http2(stream).await;
                }
                Ok(stream) => connection.http1(stream).await,
                Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
            }
        }
        #[cfg(unix)]
        Accepted::Unix(stream) => connection(None).http1(stream).await,
    }
}

fn send_immediately(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "responses may be delayed");
    }
}

struct Connection {
    /// The address of the caller; `None` on a Unix socket.
    peer: Option<SocketAddr>,
    service: AuthorityService,
    clock: Arc<IdleClock>,
    ending: oneshot::Receiver<()>,
}

impl Connection {
    async fn http1(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Self {
            peer,
            service,
            clock,
            ending,
        } = self;
        let service = service_fn(move |request| answer(&service, request, peer, &clock));
        let mut http = http1::Builder::new();
        http.max_buf_size(LARGEST_HEAD.into());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        run(connection, http1::Connection::graceful_shutdown, ending).await;
    }

    async fn http2(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Self {
            peer,
            service,
            clock,
            ending,
        } = self;
        let service = service_fn(move |request| answer(&service, request, peer, &clock));
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.max_header_list_size(LARGEST_HEAD.into())
            .max_concurrent_streams(MOST_STREAMS)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        run(connection, http2::Connection::graceful_shutdown, ending).await;
    }
}

/// Drives a connection to its end; `ending` starts its shutdown.
async fn run<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    ending: oneshot::Receiver<()>,
) {
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        _ = ending => {
            shut_down(connection.as_mut());
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// Answers a request, and restarts the clock when it is answered.
fn answer(
    service: &AuthorityService,
    request: hyper::Request<Incoming>,
    peer: Option<SocketAddr>,
    clock: &Arc<IdleClock>,
) -> impl Future<Output = Result<axum::response::Response, Infallible>> + use<> {
    let response = service.answer(request, peer);
    let busy = match response {
        ServiceResponse::Ready(_) => {
            clock.restart();
            None
        }
        ServiceResponse::Pending(_) => Some(clock.busy()),
    };
    async move {
        let response = match response {
            ServiceResponse::Ready(response) => response,
            ServiceResponse::Pending(response) => response.await,
        };
        drop(busy);
        Ok(response)
    }
}

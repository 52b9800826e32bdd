//! The sockets of the server: TCP, with TLS or without, and Unix sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::tls::Certificate;

/// A socket that is bound already.
#[derive(Debug)]
pub enum Listener {
    /// A TCP address.
    Tcp(TcpListener),
    /// A TCP address where connections are encrypted.
    Tls(TcpListener, Arc<Certificate>),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A connection before its first byte.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Tls(TcpStream, SocketAddr, TlsAcceptor),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<std::io::Result<Accepted>> {
        match self {
            Self::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| Accepted::Tcp(stream, peer)),
            Self::Tls(listener, certificate) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| Accepted::Tls(stream, peer, certificate.acceptor())),
            #[cfg(unix)]
            Self::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

/// Returns the next connection of any listener, each in its turn.
pub(super) async fn accept(listeners: &mut [Listener]) -> Accepted {
    let accepted = ntro_base::accept::accept(|cx| {
        let mut ready = listeners.iter().map(|listener| listener.poll_accept(cx));
        ready.find(Poll::is_ready).unwrap_or(Poll::Pending)
    });
    let accepted = accepted.await;
    listeners.rotate_left(usize::from(!listeners.is_empty()));
    accepted
}

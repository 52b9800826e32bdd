//! Passes the listener of a sealed network to the proxy outside.

#[cfg(target_os = "linux")]
pub(in super::super) use ntro_client::exec::seal::{receive_listener, send_listener};
#[cfg(not(target_os = "linux"))]
pub(in super::super) use unsupported::{receive_listener, send_listener};

/// This system has no such network.
#[cfg(not(target_os = "linux"))]
mod unsupported {
    use std::io;
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    pub(in super::super::super) fn send_listener(
        _: &UnixStream,
        _: &TcpListener,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in super::super::super) fn receive_listener(_: &UnixStream) -> io::Result<TcpListener> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

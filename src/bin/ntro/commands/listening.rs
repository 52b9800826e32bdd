//! The listener and the shutdown signal of every command that serves.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::error::CliError;
use crate::exit::Kind;
use crate::interrupt;

/// Binds the address of a server.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, CliError> {
    use std::io::ErrorKind;

    TcpListener::bind(address).await.map_err(|error| {
        let kind = match error.kind() {
            ErrorKind::AddrInUse => Kind::Conflict,
            _ => Kind::Failure,
        };
        let this = CliError::new(kind, format!("cannot listen on {address}: {error}"));
        match error.kind() {
            ErrorKind::AddrInUse => {
                this.hint("end what listens there, or choose another `--listen`; port 0 picks one")
            }
            ErrorKind::PermissionDenied => {
                this.hint("ports below 1024 are the system's: choose another `--listen`")
            }
            ErrorKind::AddrNotAvailable => {
                this.hint("choose an address of this machine; 0.0.0.0 is all of them")
            }
            _ => this,
        }
    })
}

/// Returns a future that ends with the process's signal to stop.
#[cfg(unix)]
pub(super) fn shutdown() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    use tokio::signal::unix::{SignalKind, signal};

    let listen = |kind| {
        signal(kind).map_err(|error| {
            CliError::new(Kind::Failure, format!("cannot wait for signals: {error}"))
        })
    };
    let mut interrupted = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    interrupt::leave_shutdown();
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn shutdown() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    interrupt::leave_shutdown();
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

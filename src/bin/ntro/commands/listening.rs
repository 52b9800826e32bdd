//! The listener and the shutdown signal of every command that serves.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::error::CliError;
use crate::exit::Kind;
use crate::interrupt;

/// The port of the official clients' default host on this machine.
pub(super) const DEFAULT_PORT: u16 = 3000;
pub(super) const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT);
/// The ports to try where the default one is taken.
const NEXT_PORTS: u16 = 20;

/// Reads `ADDR:PORT`, or a port or an address alone.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, DEFAULT_PORT));
    }
    let port = match text.strip_prefix("localhost") {
        Some("") => return Ok(SocketAddr::new(LOOPBACK, DEFAULT_PORT)),
        Some(rest) => rest.strip_prefix(':').unwrap_or_default(),
        None => text.strip_prefix(':').unwrap_or(text),
    };
    match port
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| port.parse())
    {
        Some(Ok(port)) => Ok(SocketAddr::new(LOOPBACK, port)),
        _ => Err("expected a port, or ADDR:PORT with the number of an address"),
    }
}

/// Binds the default address, or, where its port is taken, the next port that is free.
pub(super) async fn listen_near_default(command: &str) -> Result<TcpListener, CliError> {
    let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
    for port in DEFAULT_PORT..DEFAULT_PORT + NEXT_PORTS {
        address.set_port(port);
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(cannot_listen(address, command, &error)),
            Ok(listener) => return Ok(listener),
        }
    }
    address.set_port(0);
    listen(address, command).await
}

/// Binds the address of a server.
pub(super) async fn listen(address: SocketAddr, command: &str) -> Result<TcpListener, CliError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| cannot_listen(address, command, &error))
}

fn cannot_listen(address: SocketAddr, command: &str, error: &std::io::Error) -> CliError {
    let kind = match error.kind() {
        ErrorKind::AddrInUse => Kind::Conflict,
        _ => Kind::Failure,
    };
    let this = CliError::new(kind, format!("cannot listen on {address}: {error}"));
    match error.kind() {
        ErrorKind::AddrInUse => {
            let other = SocketAddr::new(address.ip(), 0);
            this.hint(format!("end what listens there, or choose another port; 0 picks a free one: `ntro {command} --listen {other}`"))
        }
        ErrorKind::PermissionDenied => {
            this.hint("ports below 1024 are the system's: choose another `--listen`")
        }
        ErrorKind::AddrNotAvailable => {
            this.hint("choose an address of this machine; 0.0.0.0 is all of them")
        }
        _ => this,
    }
}

/// Returns a future that ends with the process's signal to stop.
#[cfg(unix)]
pub(super) fn shutdown() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    use tokio::signal::unix::SignalKind;

    let mut interrupted = signals(SignalKind::interrupt())?;
    let mut terminate = signals(SignalKind::terminate())?;
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

/// Returns a future that calls `reload` at every SIGHUP from now on, and never ends.
#[cfg(unix)]
pub(super) fn at_hangup(
    mut reload: impl FnMut(),
) -> Result<impl Future<Output = Infallible>, CliError> {
    let mut hangups = signals(tokio::signal::unix::SignalKind::hangup())?;
    Ok(async move {
        loop {
            hangups.recv().await;
            reload();
        }
    })
}

/// Never calls `reload`: the system has no such signal.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn at_hangup(
    _reload: impl FnMut(),
) -> Result<impl Future<Output = Infallible>, CliError> {
    Ok(std::future::pending())
}

#[cfg(unix)]
fn signals(kind: tokio::signal::unix::SignalKind) -> Result<tokio::signal::unix::Signal, CliError> {
    tokio::signal::unix::signal(kind)
        .map_err(|error| CliError::new(Kind::Failure, format!("cannot wait for signals: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_or_address_may_be_alone() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("3000", "127.0.0.1:3000"),
            (":8080", "127.0.0.1:8080"),
            ("0", "127.0.0.1:0"),
            ("localhost", "127.0.0.1:3000"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("0.0.0.0", "0.0.0.0:3000"),
            ("::1", "[::1]:3000"),
            ("[::1]", "[::1]:3000"),
            ("[::]:8080", "[::]:8080"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
        for wrong in [
            "",
            ":",
            "65536",
            "+80",
            "-1",
            "localhost:",
            "localhost8080",
            "example.com:80",
            "1.2.3",
            "127.0.0.1:",
            "http://127.0.0.1:80",
            "[::1",
            " 3000",
        ] {
            assert!(listen_address(wrong).is_err(), "{wrong}");
        }
    }
}

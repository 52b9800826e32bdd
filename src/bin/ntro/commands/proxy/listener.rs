//! The socket of a proxy: a loopback address, or a path.

use std::net::SocketAddr;
use std::path::PathBuf;

use ntro_client::proxy::{Error, Listener};
#[cfg(unix)]
use tokio::net::UnixListener;

use super::super::listening::{listen, listen_address};
#[cfg(unix)]
use super::super::unix_socket::SocketFile;
use crate::error::CliError;

/// A socket that is bound.
pub(super) struct Bound {
    pub(super) listener: Listener,
    /// The origin that programs call.
    pub(super) origin: String,
    /// The path of a Unix socket.
    pub(super) path: Option<PathBuf>,
    /// Removes the Unix socket.
    #[cfg(unix)]
    pub(super) socket: Option<SocketFile>,
}

/// Reads an address that only this machine reaches.
pub(super) fn loopback_address(text: &str) -> Result<SocketAddr, &'static str> {
    match listen_address(text)? {
        address if address.ip().is_loopback() => Ok(address),
        _ => Err("other machines could reach that address: use one of the loopback, 127.0.0.1"),
    }
}

pub(super) async fn bind(address: SocketAddr, socket: Option<PathBuf>) -> Result<Bound, CliError> {
    match socket {
        Some(path) => bind_socket(path),
        None => {
            let listener = listen(address, "proxy").await?;
            let address = listener.local_addr().map_err(Error::Listener)?;
            Ok(Bound {
                listener: Listener::Tcp(listener),
                origin: format!("http://{address}"),
                path: None,
                #[cfg(unix)]
                socket: None,
            })
        }
    }
}

#[cfg(unix)]
fn bind_socket(path: PathBuf) -> Result<Bound, CliError> {
    let (listener, socket) = bind_private(path.clone())?;
    Ok(Bound {
        listener: Listener::Unix(listener),
        origin: "http://localhost".to_owned(),
        socket: Some(socket),
        path: Some(path),
    })
}

/// Listens on a Unix socket that only this user reaches. Needs the runtime.
#[cfg(unix)]
pub(super) fn bind_private(path: PathBuf) -> Result<(UnixListener, SocketFile), CliError> {
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use super::super::unix_socket;
    use crate::exit::Kind;

    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let is_shared = std::fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o077 != 0);
    if is_shared {
        let folder = folder.display();
        return Err(CliError::new(
            Kind::Config,
            format!("other users can reach the folder `{folder}` of the socket"),
        )
        .hint(format!("`chmod 700 {folder}`, or choose another folder")));
    }
    unix_socket::bind(path, 0o600)
}

#[cfg(not(unix))]
fn bind_socket(_path: PathBuf) -> Result<Bound, CliError> {
    Err(CliError::usage("this system has no Unix sockets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_kept_out() {
        for text in [
            "127.0.0.1:0",
            "127.9.9.9:1",
            "0",
            "[::1]:8080",
            "localhost:1",
        ] {
            assert!(loopback_address(text).is_ok(), "{text}");
        }
        for text in ["0.0.0.0:0", "[::]:0", "10.0.0.1:80", "192.168.1.1:0", "x"] {
            assert!(loopback_address(text).is_err(), "{text}");
        }
    }
}

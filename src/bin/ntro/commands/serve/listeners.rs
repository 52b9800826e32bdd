//! The options of `ntro serve` that name its listeners.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ntro_authority::{Certificate, Listener};
use serde::Serialize;
use tokio::net::TcpListener;

use super::super::listening::{DEFAULT_ADDRESS, listen, listen_address};
#[cfg(unix)]
use super::super::unix_socket::{self, SocketFile};
use crate::error::CliError;
use crate::exit::Kind;

#[derive(clap::Args, Debug)]
pub(super) struct ListenArgs {
    /// Address to listen on, a port of this machine, or a Unix socket; repeat it for several; port 0
    /// picks a free one [default: 127.0.0.1:3000]
    #[arg(
        long,
        value_name = "ADDR:PORT|unix:PATH",
        value_parser = listen_place
    )]
    listen: Vec<ListenPlace>,
    /// PEM file of the certificate chain, the server's certificate first: every ADDR:PORT then takes
    /// TLS only. It is loaded again when the file changes, and at SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Address of the metrics at `/metrics`; without it, the other addresses show them to callers on
    /// this machine
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address)]
    metrics_listen: Option<SocketAddr>,
}

/// A place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ListenPlace {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Reads `unix:PATH`, or an address as [`listen_address`] does.
fn listen_place(text: &str) -> Result<ListenPlace, &'static str> {
    match text.strip_prefix("unix:") {
        Some("") => Err("`unix:` needs the path of a socket"),
        Some(_) if cfg!(not(unix)) => Err("this system has no Unix sockets"),
        Some(path) => Ok(ListenPlace::Unix(path.into())),
        None => listen_address(text).map(ListenPlace::Tcp),
    }
}

/// A listener, as the server prints it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Place {
    /// URL of the server; `unix:PATH` for a Unix socket.
    pub(super) url: String,
    /// Address and port that the server listens on, or the path of a Unix socket.
    address: String,
}

/// Listeners that are bound.
#[derive(Default)]
pub(super) struct Bound {
    pub(super) listeners: Vec<Listener>,
    /// The listener for metrics alone.
    pub(super) metrics: Option<(Listener, String)>,
    pub(super) places: Vec<Place>,
    pub(super) certificate: Option<Arc<Certificate>>,
    /// Removes the Unix sockets.
    #[cfg(unix)]
    pub(super) sockets: Vec<SocketFile>,
}

impl ListenArgs {
    pub(super) fn or(self, other: Self) -> Self {
        let listen = match self.listen.is_empty() {
            true => other.listen,
            false => self.listen,
        };
        Self {
            listen,
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            metrics_listen: self.metrics_listen.or(other.metrics_listen),
        }
    }

    /// Reads the certificate, if there is one.
    pub(super) fn certificate(&self) -> Result<Option<Certificate>, CliError> {
        let files = self.tls_cert.clone().zip(self.tls_key.clone());
        let certificate = files.map(|(chain, key)| Certificate::load(chain, key));
        certificate.transpose().map_err(|error| {
            CliError::new(Kind::Config, error.to_string())
                .hint("`--tls-cert` and `--tls-key` name PEM files; the key must not be encrypted")
        })
    }

    /// Binds all listeners. Needs the runtime.
    pub(super) async fn bind(self) -> Result<Bound, CliError> {
        let mut bound = Bound {
            certificate: self.certificate()?.map(Arc::new),
            ..Bound::default()
        };
        let mut places = self.listen;
        if places.is_empty() {
            places.push(ListenPlace::Tcp(DEFAULT_ADDRESS));
        }
        for place in places {
            match place {
                ListenPlace::Tcp(address) => bound.bind_tcp(address).await?,
                ListenPlace::Unix(path) => bound.bind_unix(path)?,
            }
        }
        if let Some(address) = self.metrics_listen {
            let listener = listen(address, "serve").await?;
            let url = format!("http://{}/metrics", address_of(&listener)?);
            bound.metrics = Some((Listener::Tcp(listener), url));
        }
        Ok(bound)
    }
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, CliError> {
    let address = listener.local_addr();
    Ok(address.map_err(ntro_authority::Error::Listener)?)
}

impl Bound {
    async fn bind_tcp(&mut self, address: SocketAddr) -> Result<(), CliError> {
        let listener = listen(address, "serve").await?;
        let address = address_of(&listener)?;
        let (scheme, listener) = match &self.certificate {
            Some(certificate) => ("https", Listener::Tls(listener, Arc::clone(certificate))),
            None => ("http", Listener::Tcp(listener)),
        };
        self.places.push(Place {
            url: format!("{scheme}://{address}"),
            address: address.to_string(),
        });
        self.listeners.push(listener);
        Ok(())
    }

    #[cfg(unix)]
    fn bind_unix(&mut self, path: PathBuf) -> Result<(), CliError> {
        /// Owner and group may connect.
        const MODE: u32 = 0o660;

        let (listener, socket) = unix_socket::bind(path.clone(), MODE)?;
        let path = path.display();
        self.places.push(Place {
            url: format!("unix:{path}"),
            address: path.to_string(),
        });
        self.listeners.push(Listener::Unix(listener));
        self.sockets.push(socket);
        Ok(())
    }

    #[cfg(not(unix))]
    fn bind_unix(&mut self, _path: PathBuf) -> Result<(), CliError> {
        Err(CliError::usage("this system has no Unix sockets"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_place_is_address_or_socket() {
        let tcp = |text: &str| Ok(ListenPlace::Tcp(text.parse().unwrap()));
        assert_eq!(listen_place("8080"), tcp("127.0.0.1:8080"));
        assert_eq!(listen_place("[::1]:80"), tcp("[::1]:80"));
        if cfg!(unix) {
            let socket = ListenPlace::Unix("/run/ntro.sock".into());
            assert_eq!(listen_place("unix:/run/ntro.sock"), Ok(socket));
        }
        for wrong in ["unix:", "/run/ntro.sock", "unix", "tcp:80"] {
            assert!(listen_place(wrong).is_err(), "{wrong}");
        }
    }
}

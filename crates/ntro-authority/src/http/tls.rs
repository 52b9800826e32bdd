//! The certificate of a TLS listener, which can be replaced while connections are open.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// The name of HTTP/2 in a TLS handshake.
pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
/// How often the files are compared with the loaded ones.
const WATCH: Duration = Duration::from_secs(5);

/// A certificate chain and its private key, from two PEM files.
///
/// New connections get the certificate of the last successful [`reload`](Self::reload).
#[derive(Debug)]
pub struct Certificate {
    files: PemFiles,
    config: ArcSwap<ServerConfig>,
    /// The files at the last attempt to load them.
    tried: Mutex<Stamp>,
}

#[derive(Debug)]
struct PemFiles {
    chain: PathBuf,
    key: PathBuf,
}

/// Time and length of both files; `None` for a file that is missing.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// An error in the certificate or the private key of a listener.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {reason}", path.display())]
pub struct CertificateError {
    path: PathBuf,
    reason: String,
}

impl Certificate {
    /// Reads the chain, server certificate first, and the private key.
    pub fn load(chain: PathBuf, key: PathBuf) -> Result<Self, CertificateError> {
        let files = PemFiles { chain, key };
        let tried = files.stamp();
        Ok(Self {
            config: ArcSwap::from_pointee(files.read()?),
            tried: Mutex::new(tried),
            files,
        })
    }

    /// Returns an error if the server's certificate is not valid now.
    pub fn check_time(&self) -> Result<(), String> {
        use rustls::CertificateError as E;

        let outcome = self.files.chain().map_err(|error| error.to_string());
        match outcome.map(|chain| verify_alone(&chain))? {
            Err(rustls::Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. })) => {
                Err("the certificate has expired".to_owned())
            }
            Err(rustls::Error::InvalidCertificate(
                E::NotValidYet | E::NotValidYetContext { .. },
            )) => Err("the certificate is not valid yet".to_owned()),
            // Who has signed it, and for which name, is the business of its clients.
            _ => Ok(()),
        }
    }

    /// Reads the files again. After an error, the certificate stays as it was.
    pub fn reload(&self) {
        *self.tried() = self.files.stamp();
        match self.files.read() {
            Ok(config) => {
                self.config.store(Arc::new(config));
                tracing::info!("the certificate was loaded again");
            }
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
    }

    /// Reloads the files whenever they change. Never ends.
    pub async fn watch(self: Arc<Self>) -> Infallible {
        loop {
            tokio::time::sleep(WATCH).await;
            let this = self.clone();
            let check = tokio::task::spawn_blocking(move || {
                if this.files.stamp() != *this.tried() {
                    this.reload();
                }
            });
            if let Err(error) = check.await {
                tracing::error!(%error, "the certificate could not be checked");
            }
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.config.load_full().into()
    }

    fn tried(&self) -> std::sync::MutexGuard<'_, Stamp> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PemFiles {
    fn read(&self) -> Result<ServerConfig, CertificateError> {
        let chain = self.chain()?;
        let key = PrivateKeyDer::from_pem_file(&self.key);
        let key = key.map_err(|error| unreadable(&self.key, &error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // Versions 1.2 and 1.3.
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| CertificateError {
            path: self.key.clone(),
            reason: match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("not the key of the certificate `{}`", self.chain.display())
                }
                error => error.to_string(),
            },
        })?;
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(config)
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(&self.chain).and_then(Iterator::collect);
        match chain {
            Ok(chain) if chain.is_empty() => {
                Err(unreadable(&self.chain, &pem::Error::NoItemsFound))
            }
            chain => chain.map_err(|error| unreadable(&self.chain, &error)),
        }
    }

    fn stamp(&self) -> Stamp {
        [&self.chain, &self.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

/// Verifies a chain with its first certificate as the only trusted one.
fn verify_alone(chain: &[CertificateDer<'static>]) -> Result<(), rustls::Error> {
    let [certificate, others @ ..] = chain else {
        return Ok(());
    };
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = verifier.map_err(|error| rustls::Error::General(error.to_string()))?;
    let name = ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let verified = verifier.verify_server_cert(certificate, others, &name, &[], UnixTime::now());
    verified.map(drop)
}

fn unreadable(path: &Path, error: &pem::Error) -> CertificateError {
    CertificateError {
        path: path.to_owned(),
        reason: match error {
            pem::Error::NoItemsFound => "no PEM block of the expected kind".to_owned(),
            pem::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        },
    }
}

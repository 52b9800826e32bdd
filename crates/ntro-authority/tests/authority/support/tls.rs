//! A certificate of `localhost`, and clients that trust it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ntro_authority::Certificate;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) struct Localhost {
    der: CertificateDer<'static>,
    pub(crate) certificate: Arc<Certificate>,
}

/// An open connection of HTTP/2, and the task that ends with it.
pub(crate) struct Http2 {
    pub(crate) requests: SendRequest<Body>,
    pub(crate) open: JoinHandle<()>,
}

impl Localhost {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
        std::fs::write(&files[0], made.cert.pem()).unwrap();
        std::fs::write(&files[1], made.signing_key.serialize_pem()).unwrap();
        let [chain, key] = files;
        Self {
            der: made.cert.der().clone(),
            certificate: Arc::new(Certificate::load(chain, key).unwrap()),
        }
    }

    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        protocol: &str,
    ) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.unwrap()
    }

    pub(crate) async fn http2(&self, address: SocketAddr) -> Http2 {
        let stream = TokioIo::new(self.connect(address, "h2").await);
        let (requests, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
        let open = tokio::spawn(async move {
            // The server may end it without notice.
            let _ = connection.await;
        });
        Http2 { requests, open }
    }
}

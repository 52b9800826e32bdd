//! HTTP/2 over TLS to the server: certificates come from the environment, so the proxy runs in a
//! separate process.

use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ntro_base::Provider;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::{Front, NTROPII_KEY, body, read_until, status};

/// The variable with the URL of the server, in the process with the proxy.
const SERVER: &str = "NTRO_TEST_SERVER";

/// A body of two frames that share the key.
struct Split(Vec<&'static str>);

impl Body for Split {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.pop().map(|part| Ok(Frame::data(Bytes::from(part)))))
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Split>, Infallible> {
    if request.uri().path() == "/v1/silent" {
        std::future::pending::<()>().await;
    }
    let is_authorized = request.headers()["authorization"] == format!("Bearer {NTROPII_KEY}");
    let (first, second) = NTROPII_KEY.split_at(20);
    let mut response = Response::new(Split(vec![second, first]));
    let headers = response.headers_mut();
    headers.insert(
        "x-version",
        format!("{:?}", request.version()).parse().unwrap(),
    );
    headers.insert("x-authorized", is_authorized.to_string().parse().unwrap());
    headers.insert("x-echo", request.headers()["authorization"].clone());
    Ok(response)
}

/// Calls the server in [`SERVER`] through a proxy. Without the variable, starts both.
#[tokio::test]
async fn server_may_speak_http2() {
    if let Ok(server) = std::env::var(SERVER) {
        return call(&server).await;
    }
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("ca.pem");
    std::fs::write(&roots, ca.pem()).unwrap();

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let service = hyper::service::service_fn(answer);
                let stream = TokioIo::new(stream);
                if is_http2 {
                    count.fetch_add(1, Ordering::SeqCst);
                    let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    http.max_concurrent_streams(100);
                    let _ = http.serve_connection(stream, service).await;
                } else {
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(stream, service).await;
                }
            });
        }
    });
    let output = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "http2::server_may_speak_http2", "--nocapture"])
            .env_clear()
            .env(SERVER, format!("https://localhost:{port}"))
            .env("SSL_CERT_FILE", roots)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

async fn call(server: &str) {
    let front = Front::before(Provider::Ntropii, server, |_| {}).await;
    for _ in 0..3 {
        let answer = front.get("/v1/me").await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(answer.contains("x-version: HTTP/2.0\r\n"), "{answer}");
        assert!(answer.contains("x-authorized: true\r\n"));
        assert!(!answer.contains(NTROPII_KEY), "{answer}");
        assert!(body(&answer).contains(&"*".repeat(20)), "{answer}");
    }
    // Streams that stay open do not use up those that the server allows on a connection.
    let mut open = Vec::new();
    for _ in 0..150 {
        let mut stream = front.connect().await;
        let request = format!("GET /v1/silent HTTP/1.1\r\n{}\r\n", front.lines());
        stream.write_all(request.as_bytes()).await.unwrap();
        open.push(stream);
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let mut stream = front.connect().await;
    let request = format!("GET /v1/me HTTP/1.1\r\n{}\r\n", front.lines());
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "x-authorized: true").await;
}

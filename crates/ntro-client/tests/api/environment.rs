//! Certificates and proxies, which come from the process environment: each case is a process of
//! its own with an environment of its own.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use ntro_base::Provider;
use ntro_client::api::{Client, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::{NTROPII_KEY, Seen, Server, json, profile, quick, serve, target};

/// A name that no resolver knows: whoever gets an answer got it through the proxy.
const NAME: &str = "api.ntro.invalid";

/// Tells the process of its own what it is there for.
const TASK: &str = "NTRO_TEST_ASK";

/// What a process of its own asks, and says. Does nothing unless another test started this process.
#[tokio::test]
async fn ask() {
    let Ok(host) = std::env::var(TASK) else {
        return;
    };
    let (host, insecure) = host.trim().split_once(' ').unwrap();
    let mut target = target(Provider::Ntropii, host);
    target.insecure_http = insecure == "insecure";
    let settings = Settings {
        tries: 1,
        ..quick()
    };
    let said = match Client::new(target, settings).identity().await {
        Ok(identity) => format!("identity {}", identity.id),
        Err(error) => format!("error {error:?}"),
    };
    writeln!(std::io::stdout(), "\n<<{said}>>").unwrap();
}

struct Process {
    environment: Vec<(&'static str, String)>,
    insecure: bool,
}

impl Process {
    fn new() -> Self {
        Self {
            environment: Vec::new(),
            insecure: false,
        }
    }

    fn env(mut self, name: &'static str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        let value = value.as_ref().to_str().unwrap().to_owned();
        self.environment.push((name, value));
        self
    }

    fn insecure(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// Asks `host` for the identity and returns what came of it.
    async fn ask(self, host: String) -> String {
        let output = tokio::task::spawn_blocking(move || {
            let transport = if self.insecure { "insecure" } else { "safe" };
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "environment::ask", "--nocapture"])
                .env_clear()
                .envs(self.environment)
                .env(TASK, format!("{host} {transport}"))
                .stdin(Stdio::null())
                .output()
                .unwrap()
        })
        .await
        .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!said.contains("canary"), "{said}");
        let (_, said) = said.split_once("<<").unwrap();
        said.split_once(">>").unwrap().0.to_owned()
    }
}

/// An HTTPS server with a certificate of a CA that nobody else knows.
struct Secure {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    folder: TempDir,
}

impl Secure {
    async fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![NAME.to_owned(), "127.0.0.1".to_owned()])
            .unwrap()
            .signed_by(&key, &ca)
            .unwrap();

        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, record) = (acceptor.clone(), Arc::clone(&record));
                tokio::spawn(async move {
                    // A client that does not trust the certificate hangs up here.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, record, Some(json("200 OK", profile()))).await;
                    }
                });
            }
        });
        Self { port, seen, folder }
    }

    fn ca(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A proxy that connects every `CONNECT` to one port here, or refuses it with a status.
struct Proxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(refusal: Option<&'static str>, to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&heads);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(Self::pass(stream, Arc::clone(&record), refusal, to));
            }
        });
        Self { port, heads }
    }

    async fn pass(
        mut client: TcpStream,
        record: Arc<Mutex<Vec<String>>>,
        refusal: Option<&'static str>,
        to: u16,
    ) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match client.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        record
            .lock()
            .unwrap()
            .push(String::from_utf8(head).unwrap());
        if let Some(status) = refusal {
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            let _ = client.write_all(head.as_bytes()).await;
            return;
        }
        let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await
            .unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn empty(path: &Path) -> std::path::PathBuf {
    let empty = path.join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    empty
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn roots_come_from_the_variables_where_they_are_set() {
    let server = Secure::start().await;
    let host = || format!("https://127.0.0.1:{}/v1", server.port);
    let by_file = Process::new().env("SSL_CERT_FILE", server.ca());
    assert_eq!(by_file.ask(host()).await, "identity u1");
    // And the loopback is reached past any proxy.
    let by_folder = Process::new()
        .env("SSL_CERT_DIR", server.folder.path())
        .env("HTTPS_PROXY", "http://127.0.0.1:1");
    assert_eq!(by_folder.ask(host()).await, "identity u1");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[0].header("authorization"),
        Some(format!("Bearer {NTROPII_KEY}").as_str())
    );
    assert!(requests[0].line.ends_with("HTTP/1.1"));
}

#[tokio::test]
async fn an_unknown_authority_gets_no_request() {
    let server = Secure::start().await;
    let host = || format!("https://127.0.0.1:{}/v1", server.port);
    let other = Secure::start().await;
    let missing = server.folder.path().join("missing.pem");
    for process in [
        Process::new(),
        Process::new().env("SSL_CERT_FILE", other.ca()),
        Process::new().env("SSL_CERT_FILE", missing),
        Process::new().env("SSL_CERT_FILE", empty(other.folder.path())),
    ] {
        let said = process.ask(host()).await;
        assert!(said.contains("cause: Tls"), "{said}");
    }
    assert!(server.requests().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_certificate_for_another_name_gets_no_request() {
    let server = Secure::start().await;
    let host = format!("https://localhost:{}/v1", server.port);
    let said = Process::new()
        .env("SSL_CERT_FILE", server.ca())
        .ask(host)
        .await;
    assert!(said.contains("cause: Tls"), "{said}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_is_no_secure_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 4096];
        let read = stream.read(&mut heard).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        heard.truncate(read);
        heard
    });
    let said = Process::new()
        .ask(format!("https://127.0.0.1:{port}/v1"))
        .await;
    assert!(said.contains("cause: Tls"), "{said}");
    let heard = heard.await.unwrap();
    assert!(!heard.windows(6).any(|six| six == b"canary"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn https_goes_through_the_proxy_which_sees_no_key() {
    let server = Secure::start().await;
    let host = || format!("https://{NAME}/v1");
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let proxy = Proxy::start(None, server.port).await;
        let said = Process::new()
            .env("SSL_CERT_FILE", server.ca())
            .env(variable, proxy.url())
            .ask(host())
            .await;
        assert_eq!(said, "identity u1", "{variable}");
        let heads = proxy.heads();
        assert_eq!(heads.len(), 1);
        assert!(
            heads[0].starts_with(&format!("CONNECT {NAME}:443 HTTP/1.1\r\n")),
            "{heads:?}"
        );
        assert!(
            !heads[0].contains("canary") && !heads[0].to_lowercase().contains("\r\nauthorization")
        );
    }
    assert_eq!(server.requests().len(), 3);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_proxy_is_told_its_own_password_only() {
    let server = Secure::start().await;
    let proxy = Proxy::start(None, server.port).await;
    let url = format!("http://Aladdin:opensesame@127.0.0.1:{}", proxy.port);
    let said = Process::new()
        .env("SSL_CERT_FILE", server.ca())
        .env("HTTPS_PROXY", url)
        .ask(format!("https://{NAME}/v1"))
        .await;
    assert_eq!(said, "identity u1");
    let head = proxy.heads()[0].to_lowercase();
    assert!(head.contains("proxy-authorization: basic "), "{head}");
    assert_eq!(server.requests()[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn what_no_proxy_names_goes_straight() {
    let proxy = Proxy::start(None, 1).await;
    for exempt in [NAME, ".ntro.invalid", "*"] {
        let said = Process::new()
            .env("HTTPS_PROXY", proxy.url())
            .env("NO_PROXY", exempt)
            .ask(format!("https://{NAME}/v1"))
            .await;
        assert!(said.contains("cause: Dns"), "{exempt}: {said}");
    }
    assert!(proxy.heads().is_empty());
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told_apart_from_the_server() {
    for status in ["403 Forbidden", "407 Proxy Authentication Required"] {
        let proxy = Proxy::start(Some(status), 1).await;
        let said = Process::new()
            .env("HTTPS_PROXY", proxy.url())
            .ask(format!("https://{NAME}/v1"))
            .await;
        assert!(said.contains("cause: Proxy"), "{status}: {said}");
        assert_eq!(proxy.heads().len(), 1);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_not_taken_for_the_server() {
    let said = Process::new()
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .ask(format!("https://{NAME}/v1"))
        .await;
    assert!(said.contains("cause: Proxy"), "{said}");
    assert!(said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_proxy_that_makes_no_sense_is_not_passed_over() {
    let server = Secure::start().await;
    // What a call that goes straight would find is this server, by its name in the certificate.
    let host = format!("https://{NAME}/v1");
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        for value in [":::bad", "socks9://x:1", "socks5://canary:canary@x:1"] {
            let process = Process::new().env("SSL_CERT_FILE", server.ca());
            let said = process.env(variable, value).ask(host.clone()).await;
            let named = format!("variable: \"{}\"", variable.to_uppercase());
            assert!(said.starts_with("error Proxy {"), "{variable}: {said}");
            assert!(said.contains(&named), "{variable}: {said}");
        }
    }
    let said = Process::new()
        .insecure()
        .env("HTTP_PROXY", ":::bad")
        .ask(format!("http://{NAME}/v1"))
        .await;
    assert!(said.starts_with("error Proxy {"), "{said}");
    let said = Process::new()
        .env("HTTPS_PROXY", ":::bad")
        .env("NO_PROXY", NAME)
        .ask(host)
        .await;
    assert!(said.contains("cause: Dns"), "{said}");
}

#[tokio::test]
async fn plain_http_on_the_loopback_reads_no_certificates() {
    let server = Server::start([json("200 OK", profile())]).await;
    let said = Process::new()
        .env("SSL_CERT_FILE", "/nonexistent/roots.pem")
        .ask(format!("{}/v1", server.origin()))
        .await;
    assert_eq!(said, "identity u1");
}

#[tokio::test]
async fn nothing_on_the_loopback_goes_through_a_proxy() {
    let proxy = Proxy::start(None, 1).await;
    for name in ["127.0.0.1", "localhost", "ntro.localhost"] {
        let server = Server::start([json("200 OK", profile())]).await;
        let said = Process::new()
            .env("HTTP_PROXY", proxy.url())
            .env("HTTPS_PROXY", proxy.url())
            .env("ALL_PROXY", proxy.url())
            .env("NO_PROXY", "")
            .ask(format!("http://{name}:{}/v1", server.port))
            .await;
        assert_eq!(said, "identity u1", "{name}");
        assert!(server.only().line.starts_with("GET /v1/me "));
    }
    assert!(proxy.heads().is_empty());

    let server = Server::start([json("200 OK", profile())]).await;
    let said = Process::new()
        .env("HTTP_PROXY", ":::bad")
        .env("ALL_PROXY", ":::bad")
        .ask(format!("{}/v1", server.origin()))
        .await;
    assert_eq!(said, "identity u1");
}

#[tokio::test]
async fn plain_http_reaches_a_proxy_only_where_it_is_allowed() {
    let proxy = Server::start([json("200 OK", profile())]).await;
    let host = || format!("http://{NAME}/v1");
    let said = Process::new()
        .env("HTTP_PROXY", proxy.origin())
        .ask(host())
        .await;
    assert!(said.contains("InsecureTransport"), "{said}");
    assert!(proxy.seen().is_empty());
    let said = Process::new()
        .insecure()
        .env("HTTP_PROXY", proxy.origin())
        .ask(host())
        .await;
    assert_eq!(said, "identity u1");
    assert!(
        proxy
            .only()
            .line
            .starts_with(&format!("GET http://{NAME}/v1/me "))
    );
}

//! Certificates and proxies from the process environment: each case runs in a separate process.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use ntro_base::Provider;
use ntro_base::env::{self, Env};
use ntro_client::api::{Client, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::{NTROPII_KEY, Seen, Server, json, profile, quick, serve, target};

/// A name without an address: an answer can only come through the proxy.
const NAME: &str = "api.ntro.invalid";

/// The variable with the host that a process calls.
const CALL: &str = "NTRO_TEST_CALL";

/// Calls the host in [`CALL`] and prints the outcome. Without the variable, calls a server on the
/// loopback, which must work in every environment.
#[tokio::test]
async fn loopback_works_in_any_environment() {
    let Ok(call) = std::env::var(CALL) else {
        let server = Server::start([json("200 OK", profile())]).await;
        assert_eq!(call_host(&server.origin(), false, 1).await, "identity u1");
        server.only();
        return;
    };
    let words: Vec<&str> = call.split(' ').collect();
    let outcome = call_host(words[0], words[1] == "insecure", words[2].parse().unwrap()).await;
    writeln!(std::io::stdout(), "\n<<{outcome}>>").unwrap();
}

async fn call_host(host: &str, insecure_http: bool, tries: u32) -> String {
    let mut target = target(Provider::Ntropii, host);
    target.insecure_http = insecure_http;
    let settings = Settings { tries, ..quick() };
    match Client::new(target, settings).identity().await {
        Ok(identity) => format!("identity {}", identity.id),
        Err(error) => format!("error {error:?}"),
    }
}

struct Process {
    environment: Vec<(&'static str, String)>,
    insecure: bool,
    tries: u32,
}

impl Process {
    fn new() -> Self {
        Self {
            environment: Vec::new(),
            insecure: false,
            tries: 1,
        }
    }

    fn env(mut self, name: &'static str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        let value = value.as_ref().to_str().unwrap().to_owned();
        self.environment.push((name, value));
        self
    }

    fn tries_thrice(mut self) -> Self {
        self.tries = 3;
        self
    }

    fn insecure(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// Calls `host` in a new process and returns the outcome.
    async fn call(self, host: String) -> String {
        let output = tokio::task::spawn_blocking(move || {
            let transport = if self.insecure { "insecure" } else { "safe" };
            Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "environment::loopback_works_in_any_environment",
                    "--nocapture",
                ])
                .env_clear()
                .envs(self.environment)
                .env(CALL, format!("{host} {transport} {}", self.tries))
                .stdin(Stdio::null())
                .output()
                .unwrap()
        })
        .await
        .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{printed}");
        assert!(!printed.contains("canary"), "{printed}");
        let (_, outcome) = printed.split_once("<<").unwrap();
        outcome.split_once(">>").unwrap().0.to_owned()
    }
}

/// An HTTPS server with a certificate from a private CA.
struct Secure {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    folder: TempDir,
}

impl Secure {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts it with a changed certificate.
    async fn start_with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(vec![NAME.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &ca).unwrap();

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
                    // A client that does not trust the certificate closes the connection here.
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

/// A proxy that connects every `CONNECT` to one local port, or refuses it with a status.
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
async fn roots_come_from_variables() {
    let server = Secure::start().await;
    let host = || format!("https://127.0.0.1:{}/v1", server.port);
    let by_file = Process::new().env("SSL_CERT_FILE", server.ca());
    assert_eq!(by_file.call(host()).await, "identity u1");
    // The loopback is called without a proxy.
    let by_folder = Process::new()
        .env("SSL_CERT_DIR", server.folder.path())
        .env("HTTPS_PROXY", "http://127.0.0.1:1");
    assert_eq!(by_folder.call(host()).await, "identity u1");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[0].header("authorization"),
        Some(format!("Bearer {NTROPII_KEY}").as_str())
    );
    assert!(requests[0].line.ends_with("HTTP/1.1"));
}

#[tokio::test]
async fn unknown_authority_gets_no_request() {
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
        let outcome = process.call(host()).await;
        assert!(outcome.contains("cause: Tls"), "{outcome}");
    }
    assert!(server.requests().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn unusable_roots_are_named() {
    let server = Secure::start().await;
    let host = || format!("https://127.0.0.1:{}/v1", server.port);
    let path = |name: &str| server.folder.path().join(name);
    std::fs::write(path("key.pem"), "-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap();
    std::fs::write(path("der"), [0x30, 0x82, 1, 0]).unwrap();
    for (variable, file, reason) in [
        ("SSL_CERT_FILE", path("missing.pem"), "cannot be read"),
        ("SSL_CERT_FILE", path("key.pem"), "holds a private key"),
        ("SSL_CERT_FILE", path("der"), "in DER"),
        ("SSL_CERT_FILE", path(""), "a folder"),
        ("SSL_CERT_FILE", empty(&path("")), "is empty"),
        ("SSL_CERT_DIR", path("missing"), "cannot be read"),
    ] {
        let outcome = Process::new().env(variable, file).call(host()).await;
        assert!(outcome.contains("cause: Tls"), "{outcome}");
        assert!(
            outcome.contains(&format!("the variable `{variable}` names")),
            "{outcome}"
        );
        assert!(outcome.contains(reason), "{reason}: {outcome}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn bad_certificate_is_explained() {
    let mut cases: Vec<(Secure, &str, &str)> = Vec::new();
    let ca = Secure::start_with(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    cases.push((ca.await, "127.0.0.1", "is one of a CA (`CA:TRUE`)"));
    let expired = Secure::start_with(|params| {
        params.not_after = rcgen::date_time_ymd(2020, 2, 29);
    });
    let words = "expired on 2020-02-29 00:00 UTC; is this machine's clock right?";
    cases.push((expired.await, "127.0.0.1", words));
    let early = Secure::start_with(|params| {
        params.not_before = rcgen::date_time_ymd(3020, 2, 28);
    });
    cases.push((
        early.await,
        "127.0.0.1",
        "is valid from 3020-02-28 00:00 UTC",
    ));
    let named = Secure::start().await;
    cases.push((named, "localhost", "is for `api.ntro.invalid`, `127.0.0.1`"));
    for (server, name, words) in cases {
        let outcome = Process::new()
            .env("SSL_CERT_FILE", server.ca())
            .call(format!("https://{name}:{}/v1", server.port))
            .await;
        assert!(outcome.contains("cause: Tls"), "{outcome}");
        assert!(outcome.contains(words), "{outcome}");
    }
    let server = Secure::start().await;
    // Another authority of the same name.
    let namesake = Secure::start().await;
    let other = Process::new().env("SSL_CERT_FILE", namesake.ca());
    for (process, words) in [
        (Process::new(), "an authority that is not trusted"),
        (other, "is not that of the trusted authority"),
    ] {
        let host = format!("https://127.0.0.1:{}/v1", server.port);
        let outcome = process.call(host).await;
        assert!(outcome.contains(words), "{outcome}");
    }
    let outcome = Process::new()
        .call(format!("http://127.0.0.1:{}/v1", server.port))
        .await;
    assert!(outcome.contains("does it speak `https`?"), "{outcome}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn wrong_name_gets_no_request() {
    let server = Secure::start().await;
    let host = format!("https://localhost:{}/v1", server.port);
    let outcome = Process::new()
        .env("SSL_CERT_FILE", server.ca())
        .call(host)
        .await;
    assert!(outcome.contains("cause: Tls"), "{outcome}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn server_without_tls_gets_no_key() {
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
    let outcome = Process::new()
        .call(format!("https://127.0.0.1:{port}/v1"))
        .await;
    assert!(outcome.contains("cause: Tls"), "{outcome}");
    assert!(outcome.contains("does it speak plain `http`?"), "{outcome}");
    let heard = heard.await.unwrap();
    assert!(!heard.windows(6).any(|six| six == b"canary"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn https_proxy_sees_no_key() {
    let server = Secure::start().await;
    let host = || format!("https://{NAME}/v1");
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let proxy = Proxy::start(None, server.port).await;
        let outcome = Process::new()
            .env("SSL_CERT_FILE", server.ca())
            .env(variable, proxy.url())
            .call(host())
            .await;
        assert_eq!(outcome, "identity u1", "{variable}");
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
async fn proxy_gets_its_own_password() {
    let server = Secure::start().await;
    let proxy = Proxy::start(None, server.port).await;
    let url = format!("http://Aladdin:opensesame@127.0.0.1:{}", proxy.port);
    let outcome = Process::new()
        .env("SSL_CERT_FILE", server.ca())
        .env("HTTPS_PROXY", url)
        .call(format!("https://{NAME}/v1"))
        .await;
    assert_eq!(outcome, "identity u1");
    let head = proxy.heads()[0].to_lowercase();
    assert!(head.contains("proxy-authorization: basic "), "{head}");
    assert_eq!(server.requests()[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn last_at_sign_ends_proxy_password() {
    // `user:p@ss` in Base64.
    let expected = "basic dXNlcjpwQHNz";
    for password in ["p@ss", "p%40ss"] {
        let refusal = Some("407 Proxy Authentication Required");
        let proxy = Proxy::start(refusal, 1).await;
        let url = format!("http://user:{password}@127.0.0.1:{}", proxy.port);
        let outcome = Process::new()
            .tries_thrice()
            .env("HTTPS_PROXY", &url)
            .call(format!("https://{NAME}/v1"))
            .await;
        assert!(
            outcome.contains("`HTTPS_PROXY`, HTTP 407: it does not accept this user name"),
            "{outcome}"
        );
        let outcome = Process::new()
            .tries_thrice()
            .insecure()
            .env("http_proxy", &url)
            .call(format!("http://{NAME}/v1"))
            .await;
        assert!(outcome.contains("`HTTP_PROXY`, HTTP 407"), "{outcome}");
        let heads = proxy.heads();
        assert_eq!(heads.len(), 2, "{heads:?}");
        for head in heads {
            let header = format!("proxy-authorization: {expected}").to_lowercase();
            assert!(head.to_lowercase().contains(&header), "{head}");
        }
    }
}

#[tokio::test]
async fn no_proxy_hosts_are_called_directly() {
    let proxy = Proxy::start(None, 1).await;
    for exempt in [
        NAME,
        ".ntro.invalid",
        "*",
        "*.ntro.invalid",
        "api.ntro.invalid:443",
        "10.*, x.example api.ntro.invalid",
    ] {
        let outcome = Process::new()
            .env("HTTPS_PROXY", proxy.url())
            .env("NO_PROXY", exempt)
            .call(format!("https://{NAME}/v1"))
            .await;
        assert!(outcome.contains("cause: Dns"), "{exempt}: {outcome}");
    }
    assert!(proxy.heads().is_empty());
}

#[tokio::test]
async fn proxy_refusal_is_proxy_error() {
    for status in ["403 Forbidden", "407 Proxy Authentication Required"] {
        let proxy = Proxy::start(Some(status), 1).await;
        let outcome = Process::new()
            .env("HTTPS_PROXY", proxy.url())
            .call(format!("https://{NAME}/v1"))
            .await;
        assert!(outcome.contains("cause: Proxy"), "{status}: {outcome}");
        let named = format!("`HTTPS_PROXY`, HTTP {}", &status[..3]);
        assert!(outcome.contains(&named), "{status}: {outcome}");
        // The HTTP library hides every status but 407, so the proxy is asked again.
        let asked = if status.starts_with("407") { 1 } else { 2 };
        assert_eq!(proxy.heads().len(), asked);
    }
}

#[tokio::test]
async fn missing_proxy_is_proxy_error() {
    let outcome = Process::new()
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .call(format!("https://{NAME}/v1"))
        .await;
    assert!(outcome.contains("cause: Proxy"), "{outcome}");
    assert!(outcome.contains("`HTTPS_PROXY`, "), "{outcome}");
    assert!(outcome.contains("refused"), "{outcome}");
}

#[tokio::test]
async fn bad_proxy_is_error() {
    let server = Secure::start().await;
    // A direct call would fail with a DNS error instead.
    let host = format!("https://{NAME}/v1");
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        for value in [":::bad", "socks9://x:1", "socks5://canary:canary@x:1"] {
            let process = Process::new().env("SSL_CERT_FILE", server.ca());
            let outcome = process.env(variable, value).call(host.clone()).await;
            let named = format!("variable: \"{}\"", variable.to_uppercase());
            assert!(
                outcome.starts_with("error Proxy {"),
                "{variable}: {outcome}"
            );
            assert!(outcome.contains(&named), "{variable}: {outcome}");
        }
    }
    let outcome = Process::new()
        .insecure()
        .env("HTTP_PROXY", ":::bad")
        .call(format!("http://{NAME}/v1"))
        .await;
    assert!(outcome.starts_with("error Proxy {"), "{outcome}");
    let outcome = Process::new()
        .env("HTTPS_PROXY", ":::bad")
        .env("NO_PROXY", NAME)
        .call(host)
        .await;
    assert!(outcome.contains("cause: Dns"), "{outcome}");
}

#[tokio::test]
async fn plain_loopback_reads_no_certificates() {
    let server = Server::start([json("200 OK", profile())]).await;
    let outcome = Process::new()
        .env("SSL_CERT_FILE", "/nonexistent/roots.pem")
        .call(format!("{}/v1", server.origin()))
        .await;
    assert_eq!(outcome, "identity u1");
}

#[tokio::test]
async fn loopback_never_uses_proxy() {
    let proxy = Proxy::start(None, 1).await;
    for name in ["127.0.0.1", "localhost", "ntro.localhost"] {
        let server = Server::start([json("200 OK", profile())]).await;
        let outcome = Process::new()
            .env("HTTP_PROXY", proxy.url())
            .env("HTTPS_PROXY", proxy.url())
            .env("ALL_PROXY", proxy.url())
            .env("NO_PROXY", "")
            .call(format!("http://{name}:{}/v1", server.port))
            .await;
        assert_eq!(outcome, "identity u1", "{name}");
        assert!(server.only().line.starts_with("GET /v1/me "));
    }
    assert!(proxy.heads().is_empty());

    let server = Server::start([json("200 OK", profile())]).await;
    let outcome = Process::new()
        .env("HTTP_PROXY", ":::bad")
        .env("ALL_PROXY", ":::bad")
        .call(format!("{}/v1", server.origin()))
        .await;
    assert_eq!(outcome, "identity u1");
}

#[tokio::test]
async fn plain_http_proxy_needs_permission() {
    let proxy = Server::start([json("200 OK", profile())]).await;
    let host = || format!("http://{NAME}/v1");
    let outcome = Process::new()
        .env("HTTP_PROXY", proxy.origin())
        .call(host())
        .await;
    assert!(outcome.contains("InsecureTransport"), "{outcome}");
    assert!(proxy.seen().is_empty());
    let outcome = Process::new()
        .insecure()
        .env("HTTP_PROXY", proxy.origin())
        .call(host())
        .await;
    assert_eq!(outcome, "identity u1");
    assert!(
        proxy
            .only()
            .line
            .starts_with(&format!("GET http://{NAME}/v1/me "))
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn roots_follow_the_rules_of_variables() {
    let server = Secure::start().await;
    let host = || format!("https://127.0.0.1:{}/v1", server.port);
    // Empty variables count as unset: the system's certificates are trusted.
    let unset = Process::new().call(host()).await;
    let empty = Process::new()
        .env("SSL_CERT_FILE", "")
        .env("SSL_CERT_DIR", "");
    assert_eq!(empty.call(host()).await, unset);
    let with_return = format!("{}\r", server.ca().display());
    let list = format!("/nonexistent:{}", server.folder.path().display());
    for (variable, value) in [("SSL_CERT_FILE", with_return), ("SSL_CERT_DIR", list)] {
        let outcome = Process::new().env(variable, value).call(host()).await;
        assert_eq!(outcome, "identity u1", "{variable}");
    }
    // `~` is not expanded.
    let outcome = Process::new()
        .env("SSL_CERT_FILE", "~/ca.pem")
        .call(host())
        .await;
    assert!(outcome.contains("`~` is not expanded there"), "{outcome}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn roots_come_from_snapshot() {
    let server = Secure::start().await;
    let host = format!("https://127.0.0.1:{}/v1", server.port);
    let ca = server.ca();
    let env = Env::from_pairs([(&env::SSL_CERT_FILE, ca.to_str().unwrap())]);
    let settings = Settings {
        tries: 1,
        ..Settings::from_env(&env)
    };
    let client = Client::new(target(Provider::Ntropii, &host), settings);
    assert_eq!(client.identity().await.unwrap().id, "u1");
}

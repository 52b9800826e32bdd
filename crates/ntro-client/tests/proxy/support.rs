//! A proxy before a scripted server, and raw requests to it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ntro_base::env::Env;
use ntro_base::{Host, Provider};
use ntro_client::exec::OneOffToken;
use ntro_client::proxy::{
    Approver, CallLog, Child, KeyFuture, KeySource, KeyUnavailable, Listener, Proxy, Rules,
    Settings, Timeouts,
};
use ntro_client::{BoundKey, api};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const NTROPII_KEY: &str = "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8canary";
pub(crate) const ONTORA_KEY: &str = "ont_live_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8canary";
/// More than any step of a test takes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) fn key_of(provider: Provider) -> &'static str {
    match provider {
        Provider::Ntropii => NTROPII_KEY,
        Provider::Ontora => ONTORA_KEY,
    }
}

/// A request, as it arrived at the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    /// Returns whether a text is anywhere in the request.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let headers = self.headers.iter();
        self.line.contains(text)
            || headers
                .clone()
                .any(|(name, value)| name.contains(text) || value.contains(text))
            || String::from_utf8_lossy(&self.body).contains(text)
    }
}

/// A server that answers each request with the bytes that a function returns, and then closes the
/// connection.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let record = Arc::clone(&seen);
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (record, answer) = (Arc::clone(&record), Arc::clone(&answer));
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else {
                        return;
                    };
                    record.lock().unwrap().push(request.clone());
                    let _ = stream.write_all(&answer(&request)).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address, seen }
    }

    /// Starts a server whose every connection is handled by a function.
    pub(crate) async fn raw<F: Future<Output = ()> + Send>(
        handle: impl Fn(TcpStream) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handle = Arc::new(handle);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let handle = Arc::clone(&handle);
                tokio::spawn(async move { handle(stream).await });
            }
        });
        Self {
            address,
            seen: Arc::default(),
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

/// Returns an answer with its length.
pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// Reads a request with its body, by length or chunked.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        read_more(stream, &mut bytes).await?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut body = bytes[end + 4..].to_vec();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut seen = Seen {
        line,
        headers,
        body: Vec::new(),
    };
    if seen.header("transfer-encoding").is_some() {
        while !body.ends_with(b"0\r\n\r\n") {
            read_more(stream, &mut body).await?;
        }
        let mut rest = &body[..];
        loop {
            let line = rest.windows(2).position(|two| two == b"\r\n").unwrap();
            let size = std::str::from_utf8(&rest[..line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                break;
            }
            seen.body
                .extend_from_slice(&rest[line + 2..line + 2 + size]);
            rest = &rest[line + 4 + size..];
        }
    } else {
        let length: usize = seen
            .header("content-length")
            .map_or(0, |text| text.parse().unwrap());
        while body.len() < length {
            read_more(stream, &mut body).await?;
        }
        seen.body = body;
    }
    Some(seen)
}

async fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer).await {
        Ok(0) | Err(_) => None,
        Ok(read) => {
            bytes.extend_from_slice(&buffer[..read]);
            Some(())
        }
    }
}

/// A store that a test can change.
pub(crate) struct TestKeys {
    pub(crate) key: Mutex<Result<String, String>>,
    origin: String,
    pub(crate) reads: AtomicUsize,
    pub(crate) rereads: AtomicUsize,
}

impl TestKeys {
    pub(crate) fn new(provider: Provider, host: &Host) -> Arc<Self> {
        Arc::new(Self {
            key: Mutex::new(Ok(key_of(provider).to_owned())),
            origin: host.origin().to_string(),
            reads: AtomicUsize::new(0),
            rereads: AtomicUsize::new(0),
        })
    }

    pub(crate) fn replace(&self, key: &str) {
        *self.key.lock().unwrap() = Ok(key.to_owned());
    }
}

impl KeySource for TestKeys {
    fn key(&self, reread: bool) -> KeyFuture<'_> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if reread {
            self.rereads.fetch_add(1, Ordering::SeqCst);
        }
        let key = self.key.lock().unwrap().clone();
        let key = key.map_err(KeyUnavailable);
        let key = key.map(|key| BoundKey::new(key.parse().unwrap(), self.origin.parse().unwrap()));
        Box::pin(async { key })
    }
}

/// A running proxy.
pub(crate) struct Front {
    pub(crate) port: u16,
    pub(crate) token: String,
    pub(crate) other_token: String,
    pub(crate) keys: Arc<TestKeys>,
    provider: Provider,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
    pub(crate) folder: TempDir,
}

pub(crate) fn token(provider: Provider) -> String {
    let token = OneOffToken::generate(provider).unwrap();
    token.as_key().expose().to_owned()
}

/// Returns two programs with their tokens.
pub(crate) fn tokens(provider: Provider) -> Vec<Child> {
    ["one", "two"]
        .map(|name| Child::new(name.to_owned(), Some(7), provider).unwrap())
        .into()
}

/// Returns the settings of a proxy without children and log.
pub(crate) fn settings(provider: Provider, upstream: &str) -> Settings {
    let prefix = if provider == Provider::Ntropii {
        "/v1"
    } else {
        ""
    };
    let host: Host = format!("{upstream}{prefix}").parse().unwrap();
    Settings {
        provider,
        keys: TestKeys::new(provider, &host),
        host,
        connection: Some("acme".to_owned()),
        insecure_http: false,
        children: Vec::new(),
        rules: Rules::default(),
        approver: Approver::default(),
        log: None,
        calls: api::Settings::from_env(&Env::empty()),
        timeouts: Timeouts::default(),
    }
}

/// Returns a proxy, not yet listening, with what the test needs of it.
pub(crate) fn proxy(
    provider: Provider,
    upstream: &str,
    change: impl FnOnce(&mut Settings),
) -> (Proxy, String, String, Arc<TestKeys>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(provider, upstream);
    let keys = TestKeys::new(provider, &settings.host);
    settings.keys = Arc::clone(&keys) as Arc<dyn KeySource>;
    settings.children = tokens(provider);
    let token = |child: usize| settings.children[child].token.as_key().expose().to_owned();
    let (token, other_token) = (token(0), token(1));
    settings.log = Some(folder.path().join("proxy.log"));
    change(&mut settings);
    (
        Proxy::new(settings).unwrap(),
        token,
        other_token,
        keys,
        folder,
    )
}

impl Front {
    pub(crate) async fn start(provider: Provider, upstream: SocketAddr) -> Self {
        Self::start_with(provider, upstream, |_| {}).await
    }

    pub(crate) async fn start_with(
        provider: Provider,
        upstream: SocketAddr,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::before(provider, &format!("http://{upstream}"), change).await
    }

    pub(crate) async fn before(
        provider: Provider,
        upstream: &str,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let (proxy, token, other_token, keys, folder) = proxy(provider, upstream, change);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            proxy
                .serve(Listener::Tcp(listener), shutdown)
                .await
                .unwrap();
        });
        Self {
            port,
            token,
            other_token,
            keys,
            provider,
            stop: Some(stop),
            running: Some(running),
            folder,
        }
    }

    /// Returns the header line with the token.
    pub(crate) fn credential(&self) -> String {
        credential(self.provider, &self.token)
    }

    /// Returns the lines that every request needs.
    pub(crate) fn lines(&self) -> String {
        format!(
            "Host: 127.0.0.1:{}\r\n{}\r\nConnection: close\r\n",
            self.port,
            self.credential()
        )
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends bytes and returns the answer, until the connection ends.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The proxy may refuse before it has read everything.
        let _ = stream.write_all(bytes.as_ref()).await;
        read_all(&mut stream).await
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\n{}\r\n", self.lines()))
            .await
    }

    pub(crate) fn log(&self) -> CallLog {
        CallLog::at(self.log_path())
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.folder.path().join("proxy.log")
    }

    /// Ends the proxy, after which its log is whole.
    pub(crate) async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        let running = self.running.take().unwrap();
        tokio::time::timeout(TIMEOUT, running)
            .await
            .unwrap()
            .unwrap();
    }
}

pub(crate) fn credential(provider: Provider, token: &str) -> String {
    match provider {
        Provider::Ntropii => format!("Authorization: Bearer {token}"),
        Provider::Ontora => format!("X-API-Key: {token}"),
    }
}

pub(crate) async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after an early answer is no failure.
    let read = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut bytes));
    let _ = read.await.expect("the connection ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until a text has arrived.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let read = async {
        let mut buffer = [0; 1024];
        while !text.contains(end) {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "ends after {text:?}");
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
    };
    let waited = tokio::time::timeout(TIMEOUT, read).await;
    assert!(waited.is_ok(), "{end:?} does not arrive, only {text:?}");
    text
}

pub(crate) fn status(answer: &str) -> u16 {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("{answer:?}"))
}

pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

//! A server with scripted replies that records its requests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ntro_base::{Host, Provider};
use ntro_client::BoundKey;
use ntro_client::api::{AdminClient, AdminTarget, AdminToken, Client, Settings, Target};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

pub(crate) const NTROPII_KEY: &str = "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8canary";
pub(crate) const ONTORA_KEY: &str = "ont_live_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8canary";
pub(crate) const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl";

/// The reply to one request.
pub(crate) enum Reply {
    /// Sends these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes and keeps the connection open.
    Silence(Vec<u8>),
    /// Waits, sends these bytes and closes the connection.
    Late(Duration, Vec<u8>),
    /// Sends a head and then zeros until the client disconnects.
    Flood(Vec<u8>),
    /// Sends a head and then a space every few milliseconds.
    Drip(Vec<u8>),
}

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} twice");
        value
    }
}

pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts a server that sends these replies in turn, and then only closes connections.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies = replies.into_iter().collect::<Vec<_>>().into_iter();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&record), replies.next()));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns the only request.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    pub(crate) fn ntropii(&self) -> Client {
        client(Provider::Ntropii, &format!("{}/v1", self.origin()))
    }

    pub(crate) fn ontora(&self) -> Client {
        client(Provider::Ontora, &self.origin())
    }

    pub(crate) fn admin(&self, provider: Provider) -> AdminClient {
        self.admin_with(provider, quick())
    }

    pub(crate) fn admin_with(&self, provider: Provider, settings: Settings) -> AdminClient {
        let host = match provider {
            Provider::Ntropii => format!("{}/v1", self.origin()),
            Provider::Ontora => self.origin(),
        };
        let host: Host = host.parse().unwrap();
        let token = AdminToken::bind(TOKEN.to_owned(), host.origin()).unwrap();
        let target = AdminTarget {
            provider,
            host,
            token,
            insecure_http: false,
        };
        AdminClient::new(target, settings)
    }
}

/// Serves one request with one reply over any stream.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    record: Arc<Mutex<Vec<Seen>>>,
    reply: Option<Reply>,
) {
    let Some(seen) = read_request(&mut stream).await else {
        return;
    };
    record.lock().unwrap().push(seen);
    // The client may disconnect at any time.
    match reply {
        None => {}
        Some(Reply::Bytes(bytes)) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Some(Reply::Silence(bytes)) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
            std::future::pending::<()>().await;
        }
        Some(Reply::Late(pause, bytes)) => {
            tokio::time::sleep(pause).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Some(Reply::Flood(head)) => {
            let _ = stream.write_all(&head).await;
            while stream.write_all(&[b'0'; 16 * 1024]).await.is_ok() {}
        }
        Some(Reply::Drip(head)) => {
            let _ = stream.write_all(&head).await;
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let line = lines.next().unwrap().to_owned();
            let headers: Vec<_> = lines
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers
                .iter()
                .find(|(name, _)| name == "content-length")
                .map_or(0, |(_, value)| value.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
                return Some(Seen {
                    line,
                    headers,
                    body,
                });
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Returns a complete answer with its length and these headers.
pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> Reply {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    );
    Reply::Bytes(head.into_bytes())
}

pub(crate) fn json(status: &str, body: impl ToString) -> Reply {
    answer(
        status,
        &["content-type: application/json"],
        &body.to_string(),
    )
}

pub(crate) fn profile() -> serde_json::Value {
    serde_json::json!({
        "id": "u1", "email": "dev@acme.test", "name": "Dev", "orgId": "org1", "roles": ["tenant:admin"]
    })
}

/// Returns the default settings with short pauses.
pub(crate) fn quick() -> Settings {
    Settings {
        backoff: Duration::from_millis(1),
        ..Settings::default()
    }
}

pub(crate) fn target(provider: Provider, host: &str) -> Target {
    let host: Host = host.parse().unwrap();
    let key = match provider {
        Provider::Ntropii => NTROPII_KEY,
        Provider::Ontora => ONTORA_KEY,
    };
    Target {
        provider,
        key: Some(BoundKey::new(key.parse().unwrap(), host.origin())),
        host,
        insecure_http: false,
    }
}

pub(crate) fn client(provider: Provider, host: &str) -> Client {
    Client::new(target(provider, host), quick())
}

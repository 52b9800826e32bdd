//! A proxy in front of a server that records the requests.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// A request without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Method and target, such as `GET /v1/me`.
    pub(super) line: String,
    /// Headers, with names in lower case.
    pub(super) headers: BTreeMap<String, String>,
}

impl Seen {
    /// Returns the value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Forwards bytes and records the head of every request.
pub(super) struct Witness {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    runtime: Option<Runtime>,
}

impl Witness {
    /// Starts a proxy for the server at this origin.
    pub(super) fn before(origin: &str) -> Self {
        let server: SocketAddr = origin.strip_prefix("http://").unwrap().parse().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let notes = Arc::clone(&seen);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, Arc::clone(&notes)));
            }
        });
        Self {
            address,
            seen,
            runtime: Some(runtime),
        }
    }

    /// Returns the origin to call.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests since the last call.
    pub(super) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Returns the request lines since the last call.
    pub(super) fn take_lines(&self) -> Vec<String> {
        self.take().into_iter().map(|seen| seen.line).collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // Does not wait for connections that a client left open.
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn pass(client: TcpStream, server: SocketAddr, seen: Arc<Mutex<Vec<Seen>>>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (questions, mut answers) = client.into_split();
    let (mut from, to) = server.into_split();
    let asking = tokio::spawn(ask(questions, to, seen));
    let _ = tokio::io::copy(&mut from, &mut answers).await;
    asking.abort();
}

/// Forwards requests, recording each one first.
async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut buffer = [0; 4096];
    let mut unread = Vec::new();
    let mut body = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        unread.extend_from_slice(&buffer[..count]);
        loop {
            let skipped = body.min(unread.len());
            unread.drain(..skipped);
            body -= skipped;
            let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") else {
                break;
            };
            let head: Vec<u8> = unread.drain(..end + 4).collect();
            let request = parse(std::str::from_utf8(&head).unwrap());
            body = request
                .header("content-length")
                .map_or(0, |length| length.parse().unwrap());
            seen.lock().unwrap().push(request);
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

fn parse(head: &str) -> Seen {
    let mut lines = head.lines();
    let line = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap();
    Seen {
        line: line.to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
    }
}

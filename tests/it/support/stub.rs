//! A server whose answers a test decides, for what no real one does on request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A listener on a port of its own that remembers whoever came.
pub struct Stub {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

/// A request, as far as a stub looks at it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// Such as `/v1/me`.
    pub path: String,
    /// The key, from either header.
    pub key: Option<String>,
}

/// What a stub does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers with this status and this JSON value.
    Json(u16, Value),
    /// The same, from a server whose clock shows this time.
    Dated(String, u16, Value),
    /// Hangs up.
    Cut,
    /// Says nothing, and keeps the connection.
    Silence,
}

impl Stub {
    /// Starts a server that answers as `answer` says.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let answer = Arc::new(answer);
        // Both kinds of thread end with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (record, answer) = (Arc::clone(&record), Arc::clone(&answer));
                std::thread::spawn(move || {
                    // The client may hang up at any time, which is its right.
                    let _ = converse(stream.unwrap(), &record, &*answer);
                });
            }
        });
        Self { address, seen }
    }

    /// Starts an Ntropii server that takes every key with `good` in it, and whose keys reach
    /// these tenants.
    pub fn ntropii(tenants: &'static [&'static str]) -> Self {
        Self::start(move |request| {
            if !request.key.as_ref().is_some_and(|key| key.contains("good")) {
                return Reply::unauthorized();
            }
            match request.path.as_str() {
                "/v1/me" => Reply::Json(
                    200,
                    json!({
                        "id": "u1", "email": "dev@acme.test", "name": "Dev", "orgId": "org1",
                        "roles": ["tenant:admin"],
                    }),
                ),
                "/v1/workspace/tenants" => {
                    let tenants: Vec<_> = tenants
                        .iter()
                        .map(|slug| {
                            json!({
                                "id": format!("id-of-{slug}"), "slug": slug,
                                "name": format!("{} Ltd", slug.to_uppercase()),
                                "dataPlatform": "managed-postgres", "status": "ACTIVE",
                            })
                        })
                        .collect();
                    Reply::Json(200, tenants.into())
                }
                _ => Reply::Json(404, json!({"statusCode": 404, "message": "Not Found"})),
            }
        })
    }

    /// Returns its origin.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the base URL of an Ntropii connection to it.
    pub fn host(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// Returns what came in so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

impl Reply {
    /// The answer to a key that is not known, in the words of Ntropii.
    pub fn unauthorized() -> Self {
        Self::Json(
            401,
            json!({
                "statusCode": 401, "message": "Invalid or missing API key",
                "error": "Unauthorized",
            }),
        )
    }
}

fn converse(
    stream: TcpStream,
    record: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Reply,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        key: None,
    };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => request.key = value.strip_prefix("Bearer ").map(str::to_owned),
            "x-api-key" => request.key = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    // Also a connection over which nothing was sent is remembered.
    record.lock().unwrap().push(request.clone());
    match answer(&request) {
        Reply::Cut => Ok(()),
        Reply::Silence => loop {
            std::thread::park();
        },
        Reply::Json(status, body) => answer_with(stream, "", status, &body),
        Reply::Dated(date, status, body) => {
            answer_with(stream, &format!("date: {date}\r\n"), status, &body)
        }
    }
}

fn answer_with(
    mut stream: TcpStream,
    headers: &str,
    status: u16,
    body: &Value,
) -> std::io::Result<()> {
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\n{headers}\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

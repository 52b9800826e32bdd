//! A server with answers chosen by the test, for behaviour that no real server shows on request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A listener on a free port that records its requests.
pub struct Stub {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

/// The parts of a request that a stub reads.
#[derive(Clone, Debug)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// Such as `/v1/me`.
    pub path: String,
    /// The key, from either header.
    pub key: Option<String>,
}

/// The reaction to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers with this status and this JSON value.
    Json(u16, Value),
    /// The same, with this time in the `Date` header.
    Dated(String, u16, Value),
    /// Answers with this status and this web page.
    Page(u16, &'static str),
    /// Redirects to this location.
    Moved(String),
    /// Answers 503, with this `Retry-After`.
    Unavailable { retry_after: u32 },
    /// Closes the connection.
    Cut,
    /// Sends nothing, and keeps the connection open.
    Silence,
}

impl Stub {
    /// Starts a server that answers with `answer`.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let answer = Arc::new(answer);
        // The threads end with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (record, answer) = (Arc::clone(&record), Arc::clone(&answer));
                std::thread::spawn(move || {
                    // The client may close the connection at any time.
                    let _ = converse(stream.unwrap(), &record, &*answer);
                });
            }
        });
        Self { address, seen }
    }

    /// Starts an Ntropii server that accepts every key containing `good`, with access to these
    /// tenants.
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

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its origin.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the base URL of an Ntropii connection to it.
    pub fn host(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// Returns the requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

impl Reply {
    /// Returns Ntropii's answer to an unknown key.
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
    // A connection without a request is recorded as well.
    record.lock().unwrap().push(request.clone());
    match answer(&request) {
        Reply::Moved(location) => {
            answer_with(stream, &format!("location: {location}\r\n"), 308, "")
        }
        Reply::Unavailable { retry_after } => {
            answer_with(stream, &format!("retry-after: {retry_after}\r\n"), 503, "")
        }
        Reply::Cut => Ok(()),
        Reply::Silence => loop {
            std::thread::park();
        },
        Reply::Page(status, page) => {
            answer_with(stream, "content-type: text/html\r\n", status, page)
        }
        Reply::Json(status, body) => answer_with(stream, JSON, status, &body.to_string()),
        Reply::Dated(date, status, body) => answer_with(
            stream,
            &format!("{JSON}date: {date}\r\n"),
            status,
            &body.to_string(),
        ),
    }
}

const JSON: &str = "content-type: application/json\r\n";

fn answer_with(
    mut stream: TcpStream,
    headers: &str,
    status: u16,
    body: &str,
) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\n{headers}\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

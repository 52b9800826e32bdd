//! The cost of verifying a key, compared with a handler of the same framework that sends the same
//! bytes without looking at the key.
//!
//! ```text
//! cargo bench --bench verification [-- --keys 100000 --rounds 31 --millis 150]
//! ```
//!
//! Both servers are separate processes of this executable. The bare one is an axum router with as
//! many routes, on connections served with the same hyper settings (not `axum::serve`, which does
//! more) and without the authority's connection limits. Its handler sends the status, headers and
//! body that the authority sent for one such request; even the request id is the recorded one. The
//! authority runs completely, as in `ntro serve`, without rate limits: connection limits, request
//! ids and panic handling included.
//!
//! This process sends the load over 32 open connections, one request at a time on each. Short
//! rounds alternate between the two servers, so that other load on the machine affects both. Each
//! round gives a ratio, and the medians are printed. The server's CPU time per request (Linux) is
//! the figure that the load generator and other processes disturb least.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends at what it did not expect"
)]

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ntro_authority::{
    self, Actor, Authority, AuthoritySettings, DataPlatform, Database, KeyMaterial, Limits,
    NewApiKey, NewTenant, Registry,
};
use ntro_base::{Provider, Scope};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::Service as _;

const CONNECTIONS: usize = 32;
/// Threads of the load generator.
const THREADS: usize = 2;
/// Keys that a connection uses in turn.
const KEYS_IN_TURN: usize = 1_000;
/// The limit of the authority.
const LARGEST_HEAD: usize = 32 * 1024;
/// The ratio to reach.
const BAR: f64 = 0.85;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--serve-authority") => serve_authority(Path::new(&arguments[1])),
        Some("--serve-bare") => serve_bare(Path::new(&arguments[1])),
        _ => compare(&Plan::new(&arguments)),
    }
}

/// The amount of work.
struct Plan {
    keys: usize,
    rounds: usize,
    round: Duration,
}

impl Plan {
    fn new(arguments: &[String]) -> Self {
        let number = |name: &str, default: usize| {
            let at = arguments.iter().position(|argument| argument == name);
            at.map_or(default, |at| arguments[at + 1].parse().unwrap())
        };
        Self {
            keys: number("--keys", 100_000),
            rounds: number("--rounds", 31),
            round: Duration::from_millis(number("--millis", 150) as u64),
        }
    }
}

fn compare(plan: &Plan) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("registry.db");
    let [ntropii, ontora] = fill(&database, plan.keys);
    println!(
        "{} live keys, {CONNECTIONS} connections, {} rounds of {} ms each\n",
        plan.keys,
        plan.rounds,
        plan.round.as_millis()
    );
    println!(
        "{:<44} {:>9} {:>9} {:>6}   {:>8} {:>8} {:>6}",
        "", "bare", "authority", "", "bare", "authority", ""
    );
    println!(
        "{:<44} {:>9} {:>9} {:>6}   {:>8} {:>8} {:>6}",
        "request", "req/s", "req/s", "ratio", "CPU us", "CPU us", "ratio"
    );
    let authority = Server::start("--serve-authority", &database);
    let mut worst = f64::INFINITY;
    for (path, header, valid) in [
        ("/v1/me", "authorization: Bearer ", ntropii),
        ("/v1/api-keys/current", "x-api-key: ", ontora.clone()),
        ("/v1/authorize", "x-api-key: ", ontora),
    ] {
        let wrong = valid.iter().map(|key| unknown(key)).collect();
        let garbage = valid.iter().map(|key| broken(key)).collect();
        for (what, keys) in [
            ("a valid key", valid),
            ("a wrong key, sound checksum", wrong),
            ("garbage", garbage),
        ] {
            let requests = requests(path, header, keys);
            let measured = measure(plan, folder.path(), &authority, path, &requests);
            worst = worst.min(measured.rate[2]);
            println!("{:<44} {measured}", format!("{path}, {what}"));
        }
    }
    println!(
        "\nlowest ratio {worst:.2}: the bar of {BAR} is {}",
        if worst >= BAR { "met" } else { "NOT met" }
    );
}

/// Creates live keys, half for each provider.
fn fill(database: &Path, count: usize) -> [Vec<String>; 2] {
    let registry = Registry::open(
        &Database::Sqlite(database.to_owned()),
        &KeyMaterial::default(),
        Actor::CommandLine,
    )
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let organisation = registry.create_organisation("Acme", None).await.unwrap();
        let tenant = registry
            .create_tenant(NewTenant {
                organisation_id: organisation.id,
                slug: "acme-fund-admin".to_owned(),
                name: "Acme Fund Administration".to_owned(),
                data_platform: DataPlatform::ManagedPostgres,
                data_platform_config_id: None,
            })
            .await
            .unwrap();
        let mut made = [Vec::new(), Vec::new()];
        for (provider, keys) in Provider::ALL.into_iter().zip(&mut made) {
            let mut tasks = JoinSet::new();
            for _ in 0..count / 2 {
                let (registry, tenant) = (registry.clone(), tenant.clone());
                let new = NewApiKey {
                    provider,
                    environment: None,
                    name: "CI integration".parse().unwrap(),
                    scopes: match provider {
                        Provider::Ntropii => Vec::new(),
                        Provider::Ontora => vec![Scope::All],
                    },
                    expires_in_days: Some(90),
                    created_by: None,
                    owner: None,
                    may_rotate: true,
                };
                tasks.spawn(async move { registry.create_key(&tenant, new).await.unwrap() });
            }
            while let Some(minted) = tasks.join_next().await {
                keys.push(minted.unwrap().key.expose().to_owned());
            }
        }
        made
    })
}

/// Returns a key of the same format that was never issued.
fn unknown(key: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut body = key.as_bytes()[..key.len() - 6].to_vec();
    let last = body.last_mut().unwrap();
    *last = if *last == b'a' { b'b' } else { b'a' };
    let mut checksum = crc32fast::hash(&body);
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(checksum % 62) as usize];
        checksum /= 62;
    }
    body.extend(digits);
    String::from_utf8(body).unwrap()
}

/// Returns the key with one character changed and the checksum kept.
fn broken(key: &str) -> String {
    let mut bytes = key.as_bytes().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] = if bytes[middle] == b'a' { b'b' } else { b'a' };
    String::from_utf8(bytes).unwrap()
}

/// Returns the requests of each connection, with keys from all over the table.
fn requests(path: &str, header: &str, keys: Vec<String>) -> Vec<Vec<Vec<u8>>> {
    let step = 7_919;
    let mut at = 0;
    (0..CONNECTIONS)
        .map(|_| {
            (0..KEYS_IN_TURN)
                .map(|_| {
                    at = (at + step) % keys.len();
                    format!(
                        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n{header}{}\r\n\r\n",
                        keys[at]
                    )
                    .into_bytes()
                })
                .collect()
        })
        .collect()
}

/// The results for one kind of request: medians over the rounds.
struct Measured {
    /// Requests per second: bare, authority, and the ratio.
    rate: [f64; 3],
    /// Microseconds of CPU per request: bare, authority, and the ratio.
    cpu: Option<[f64; 3]>,
}

impl Measured {
    fn new(rounds: &[[Load; 2]]) -> Self {
        let medians = |pairs: Vec<[f64; 2]>, ratio: fn([f64; 2]) -> f64| {
            [
                median(pairs.iter().map(|pair| pair[0])),
                median(pairs.iter().map(|pair| pair[1])),
                median(pairs.iter().copied().map(ratio)),
            ]
        };
        let rates = rounds.iter().map(|pair| pair.each_ref().map(Load::rate));
        let cpus: Option<Vec<_>> = rounds
            .iter()
            .map(|[bare, own]| Some([bare.cpu_micros()?, own.cpu_micros()?]))
            .collect();
        Self {
            rate: medians(rates.collect(), |[bare, own]| own / bare),
            cpu: cpus.map(|cpus| medians(cpus, |[bare, own]| bare / own)),
        }
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [bare, own, ratio] = self.rate;
        write!(f, "{bare:>9.0} {own:>9.0} {ratio:>6.2}")?;
        match self.cpu {
            Some([bare, own, ratio]) => write!(f, "   {bare:>8.2} {own:>9.2} {ratio:>6.2}"),
            None => Ok(()),
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn measure(
    plan: &Plan,
    folder: &Path,
    authority: &Server,
    path: &str,
    requests: &[Vec<Vec<u8>>],
) -> Measured {
    let mut sample = Connection::open(authority.address);
    let answer = sample.ask(&requests[0][0]);
    let recorded = folder.join("answer");
    write(&recorded, path, &answer);
    let bare = Server::start("--serve-bare", &recorded);
    let servers = [&bare, authority];
    let mut open = servers.map(Server::open);
    let mut rounds = Vec::new();
    // The first pair is a warm-up.
    for round in 0..=plan.rounds {
        let mut load = |which: usize| {
            let connections = &mut open[which];
            servers[which].load(connections, requests, plan.round, &answer)
        };
        // The order alternates between rounds.
        let pair = if round % 2 == 0 {
            let bare = load(0);
            [bare, load(1)]
        } else {
            let own = load(1);
            [load(0), own]
        };
        if round > 0 {
            rounds.push(pair);
        }
    }
    Measured::new(&rounds)
}

/// The result of one round.
struct Load {
    answered: u64,
    took: Duration,
    cpu: Option<Duration>,
}

impl Load {
    fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }

    fn cpu_micros(&self) -> Option<f64> {
        Some(self.cpu?.as_secs_f64() * 1e6 / self.answered as f64)
    }
}

/// A server in a separate process, killed when this is dropped.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(kind: &str, file: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(kind)
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            process,
            address: line.trim().parse().unwrap(),
        }
    }

    fn open(&self) -> Vec<Connection> {
        (0..CONNECTIONS)
            .map(|_| Connection::open(self.address))
            .collect()
    }

    /// Sends requests over all connections for a while.
    fn load(
        &self,
        connections: &mut [Connection],
        requests: &[Vec<Vec<u8>>],
        length: Duration,
        answer: &[u8],
    ) -> Load {
        let before = self.cpu();
        let start = Instant::now();
        let share = CONNECTIONS / THREADS;
        let answered = thread::scope(|scope| {
            let threads: Vec<_> = connections
                .chunks_mut(share)
                .zip(requests.chunks(share))
                .map(|(connections, requests)| {
                    scope.spawn(move || ask(connections, requests, length, answer))
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).sum()
        });
        Load {
            answered,
            took: start.elapsed(),
            cpu: before.and_then(|before| Some(self.cpu()? - before)),
        }
    }

    /// Returns the CPU time of all threads so far, where the system reports it.
    fn cpu(&self) -> Option<Duration> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).ok()?;
        let mut nanos = 0;
        for task in tasks {
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            nanos += text.split(' ').next()?.parse::<u64>().ok()?;
        }
        Some(Duration::from_nanos(nanos))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Drives one thread's connections: each has one open request, and sends the next one after the
/// response.
fn ask(
    connections: &mut [Connection],
    requests: &[Vec<Vec<u8>>],
    length: Duration,
    answer: &[u8],
) -> u64 {
    let start = Instant::now();
    let mut answered = 0;
    while start.elapsed() < length {
        for (connection, requests) in connections.iter_mut().zip(requests) {
            if connection.under_way {
                connection.expect(answer);
                answered += 1;
            }
            connection.next(requests);
        }
    }
    for connection in connections {
        connection.expect(answer);
        answered += 1;
    }
    answered
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The number of requests sent.
    sent: usize,
    under_way: bool,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: vec![0; 16 * 1024],
            sent: 0,
            under_way: false,
        }
    }

    fn next(&mut self, requests: &[Vec<u8>]) {
        let next = &requests[self.sent % requests.len()];
        self.stream.write_all(next).unwrap();
        self.sent += 1;
        self.under_way = true;
    }

    /// Reads the response to [`Connection::next`], and asserts that its status is that of `answer`.
    fn expect(&mut self, answer: &[u8]) {
        let got = self.answer();
        // "HTTP/1.1 200"
        assert_eq!(got[..12], answer[..12], "{}", String::from_utf8_lossy(got));
        self.under_way = false;
    }

    fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        self.stream.write_all(request).unwrap();
        self.answer().to_owned()
    }

    /// Reads one response, head and body.
    fn answer(&mut self) -> &[u8] {
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).unwrap();
            assert!(read > 0, "the server has closed the connection");
            filled += read;
            if is_whole(&self.buffer[..filled]) {
                return &self.buffer[..filled];
            }
        }
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let (head, body) = answer.split_at(head + 4);
    body.len() == content_length(head)
}

fn content_length(head: &[u8]) -> usize {
    let name = b"content-length: ";
    let at = head
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    head[at + name.len()..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

fn write(file: &Path, path: &str, answer: &[u8]) {
    let mut bytes = format!("{path}\n").into_bytes();
    bytes.extend(answer);
    #[expect(clippy::disallowed_methods, reason = "a scratch file of the benchmark")]
    std::fs::write(file, bytes).unwrap();
}

/// Runs a server in this process until it is killed.
fn run<S: Future<Output = ()>>(serve: impl FnOnce(TcpListener) -> S) {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            println!("{}", listener.local_addr().unwrap());
            serve(listener).await;
        });
}

fn serve_authority(database: &Path) {
    run(async |listener| {
        let settings = AuthoritySettings {
            limits: Limits::OFF,
            ..AuthoritySettings::default()
        };
        let database = Database::Sqlite(PathBuf::from(database));
        let authority = Authority::open(&database, settings).unwrap();
        ntro_authority::serve(listener, authority, std::future::pending())
            .await
            .unwrap();
    });
}

/// Answers with the recorded responses.
fn serve_bare(recorded: &Path) {
    let recorded = std::fs::read(recorded).unwrap();
    let line = recorded.iter().position(|byte| *byte == b'\n').unwrap();
    let (path, answer) = recorded.split_at(line);
    let path = std::str::from_utf8(path).unwrap();
    let answer = Arc::new(Recorded::parse(&answer[1..]));
    // A table with as many routes as the authority's, so that the look-up costs the same.
    let paths = [
        path,
        "/healthz",
        "/readyz",
        "/.well-known/jwks.json",
        "/v1/workspace/tenants",
        "/v1/workspace/tenants/{tenant}",
        "/v1/workspace/tenants/{tenant}/api-keys",
        "/v1/workspace/tenants/{tenant}/api-keys/{key}",
        "/v1/api-keys",
        "/v1/api-keys/{key}",
        "/v1/workspaces",
        "/v1/workspaces/{workspace}/members",
    ];
    let router = paths.into_iter().fold(axum::Router::new(), |router, path| {
        let answer = answer.clone();
        let handler = async move || {
            let mut response = Response::new(Body::from(answer.body.clone()));
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers.clone();
            response
        };
        router.route(path, axum::routing::get(handler))
    });
    // Builds the services once, not for each request.
    let router = router.with_state(());
    run(async |listener| {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream, router.clone()));
        }
    });
}

/// Serves a connection as the authority does, without its limits; `axum::serve` does more.
async fn talk(stream: tokio::net::TcpStream, router: axum::Router) {
    stream.set_nodelay(true).unwrap();
    let router = RefCell::new(router);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        router.borrow_mut().call(request)
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(LARGEST_HEAD);
    // The load generator closes its connections at the end.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

struct Recorded {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Recorded {
    fn parse(answer: &[u8]) -> Self {
        let text = std::str::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            // The framework adds these two.
            .filter(|(name, _)| !["content-length", "date"].contains(name))
            .map(|(name, value)| {
                (
                    HeaderName::try_from(name).unwrap(),
                    HeaderValue::try_from(value).unwrap(),
                )
            })
            .collect();
        Self {
            status: status.parse().unwrap(),
            headers,
            body: body.to_owned().into(),
        }
    }
}

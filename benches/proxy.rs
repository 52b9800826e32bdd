//! The cost of a proxy before the authority: calls straight to it, through `ntro proxy`, and through
//! nginx as a plain reverse proxy, where that is installed.
//!
//! ```text
//! cargo bench --bench proxy [-- --rounds 15 --millis 300 --transfer 1024 --streams 1000]
//! ```
//!
//! All are separate processes with two workers. nginx keeps its connections and writes an access
//! log; `ntro proxy` logs each call as well. The load comes over 32 open connections, one request at
//! a time on each, in short rounds that alternate between the ways, so that other load on the machine
//! affects all of them; medians are printed. The latency is that of one connection.
//!
//! At the end, `--transfer` MiB go through the proxy in chunks, in each direction, and `--streams`
//! streams of events are open at the same time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, writes its own files, and ends at what it did not expect"
)]

mod programs;
mod streams;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const NTRO: &str = env!("CARGO_BIN_EXE_ntro");
const CONNECTIONS: usize = 32;
/// Threads of the load generator.
const THREADS: usize = 2;

/// A process that ends with this.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // nginx ends its workers only if it is asked.
        let id = self.0.id().to_string();
        let _ = Command::new("kill").arg(id).status();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Returns the processor time of this process and of its children.
    fn time(&self) -> Duration {
        let id = self.0.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let children = children.split_whitespace().map(|id| id.parse().unwrap());
        let ticks: u64 = std::iter::once(id).chain(children).map(ticks).sum();
        Duration::from_millis(10 * ticks)
    }

    /// Returns the most memory that it had, in MiB.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
    }
}

/// Returns the processor time of a process, in hundredths of a second.
fn ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields = fields.split(' ').skip(11).take(2);
    fields.map(|field| field.parse::<u64>().unwrap()).sum()
}

/// A way to the authority.
struct Way {
    name: &'static str,
    process: Process,
    address: SocketAddr,
    request: String,
    rounds: Vec<Round>,
}

struct Round {
    /// Requests in a second.
    throughput: f64,
    count: u32,
    /// The processor time of them all.
    time: Duration,
    /// Microseconds for a request on one connection.
    latency: f64,
}

fn main() {
    let rounds = option("--rounds", 15);
    let length = Duration::from_millis(option("--millis", 300));
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    ntro(home, "admin organisation create Acme");
    ntro(home, "admin tenant create acme");
    let made = ntro(home, "admin key create --tenant acme --provider ntropii");
    let key = made["key"].as_str().unwrap().to_owned();
    let (process, served) = started(
        home,
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--rate-limit",
            "0",
            "--failure-limit",
            "0",
        ],
    );
    let server: SocketAddr = served["address"].as_str().unwrap().parse().unwrap();

    let mut ways = vec![Way::new("direct", process, server, &key)];
    if let Some(nginx) = programs::found("nginx") {
        let (process, address) = start_nginx(&nginx, home, server);
        ways.push(Way::new("nginx", process, address, &key));
    }
    let (process, address, token) = proxy(home, &format!("http://{server}/v1"), &key);
    ways.push(Way::new("`ntro proxy`", process, address, &token));
    for round in 0..=rounds {
        for way in &mut ways {
            way.measure(length);
            // The first round warms up.
            if round == 0 {
                way.rounds.clear();
            }
        }
    }
    println!("### Calls over {CONNECTIONS} connections, {rounds} rounds of {length:?}\n");
    println!(
        "| way | requests/s | of direct | processor, µs | p50 of one, µs | more than direct, µs |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for way in &ways {
        let (throughput, cost, latency) = (way.throughput(), way.cost(), way.latency());
        let of_direct = way.ratio(&ways[0]);
        let more = latency - ways[0].latency();
        let name = way.name;
        println!(
            "| {name} | {throughput:.0} | {of_direct:.2} | {cost:.1} | {latency:.0} | {more:.0} |"
        );
    }
    println!();
    let named = |name: &str| ways.iter().find(|way| way.name == name);
    let own = named("`ntro proxy`").unwrap();
    if let Some(nginx) = named("nginx") {
        println!(
            "`ntro proxy` beside nginx: {:.2} (ratio of requests/s)\n",
            own.ratio(nginx)
        );
    }
    println!("peak memory of `ntro proxy`: {} MiB\n", own.process.peak());
    drop(ways);
    let size = usize::try_from(option("--transfer", 1_024)).unwrap();
    streams::transfer(home, size);
    let count = usize::try_from(option("--streams", 1_000)).unwrap();
    streams::keep_open(home, count);
}

fn option(name: &str, default: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments
        .nth(1)
        .map_or(default, |text| text.parse().unwrap())
}

fn command(home: &Path) -> Command {
    let mut command = Command::new(NTRO);
    command
        .env_clear()
        .env("NTRO_HOME", home)
        .stdin(Stdio::null())
        .args(["-o", "json"]);
    command
}

fn ntro(home: &Path, line: &str) -> Value {
    let output = command(home).args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Starts a command that prints a JSON object once it listens.
fn started(home: &Path, arguments: &[&str]) -> (Process, Value) {
    let mut child = command(home)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.ends_with("\n}\n") {
        assert!(stdout.read_line(&mut text).unwrap() > 0, "it ended: {text}");
    }
    // The pipe stays open for as long as the process.
    std::mem::forget(stdout);
    (Process(child), serde_json::from_str(&text).unwrap())
}

/// Starts a proxy for a connection in a file; returns its address and its token.
fn proxy(home: &Path, host: &str, key: &str) -> (Process, SocketAddr, String) {
    let config = format!(
        "default_connection_name = \"local\"\n[connections.local]\nhost = \"{host}\"\napi_key = \"{key}\"\n"
    );
    fs::write(home.join("config.toml"), config).unwrap();
    let (process, summary) = started(home, &["proxy", "--no-check"]);
    let url = summary["url"].as_str().unwrap();
    let address = url
        .strip_prefix("http://")
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let token = summary["children"][0]["token"].as_str().unwrap();
    (process, address.parse().unwrap(), token.to_owned())
}

fn start_nginx(nginx: &Path, folder: &Path, server: SocketAddr) -> (Process, SocketAddr) {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let root = folder.display();
    let config = format!(
        "daemon off; worker_processes 2; pid {root}/nginx.pid; error_log {root}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
           access_log {root}/access.log;\n\
           client_body_temp_path {root}/a; proxy_temp_path {root}/b; fastcgi_temp_path {root}/c;\n\
           uwsgi_temp_path {root}/d; scgi_temp_path {root}/e;\n\
           keepalive_requests 100000000;\n\
           upstream authority {{ server {server}; keepalive 64; keepalive_requests 100000000; }}\n\
           server {{\n\
             listen {address};\n\
             location / {{\n\
               proxy_pass http://authority; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
             }}\n\
           }}\n\
         }}\n"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config).unwrap();
    let child = Command::new(nginx).arg("-c").arg(&path).spawn().unwrap();
    let process = Process(child);
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "nginx does not listen"
        );
        thread::sleep(Duration::from_millis(20));
    }
    (process, address)
}

impl Way {
    fn new(name: &'static str, process: Process, address: SocketAddr, key: &str) -> Self {
        Self {
            name,
            process,
            address,
            request: format!(
                "GET /v1/me HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n"
            ),
            rounds: Vec::new(),
        }
    }

    fn measure(&mut self, length: Duration) {
        let before = self.process.time();
        let start = Instant::now();
        let count: u32 = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| scope.spawn(|| self.load(CONNECTIONS / THREADS, start, length)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        let seconds = start.elapsed().as_secs_f64();
        let time = self.process.time() - before;

        let mut times = Vec::new();
        let mut single = Connection::open(self.address);
        let start = Instant::now();
        while start.elapsed() < length / 3 {
            let before = Instant::now();
            single.send(&self.request);
            single.answer();
            times.push(microseconds(before.elapsed()));
        }
        self.rounds.push(Round {
            throughput: f64::from(count) / seconds,
            count,
            time,
            latency: median(times),
        });
    }

    /// Makes calls, one at a time on each of some connections.
    fn load(&self, connections: usize, start: Instant, length: Duration) -> u32 {
        let open = (0..connections).map(|_| Connection::open(self.address));
        let mut streams: Vec<_> = open.collect();
        let mut count = 0;
        while start.elapsed() < length {
            for stream in &mut streams {
                stream.send(&self.request);
            }
            for stream in &mut streams {
                stream.answer();
                count += 1;
            }
        }
        count
    }

    fn throughput(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.throughput).collect())
    }

    fn latency(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.latency).collect())
    }

    /// Returns microseconds of processor time for each request: the system counts hundredths of a
    /// second, so not those of a round.
    fn cost(&self) -> f64 {
        let time: Duration = self.rounds.iter().map(|round| round.time).sum();
        let count: u32 = self.rounds.iter().map(|round| round.count).sum();
        microseconds(time) / f64::from(count)
    }

    /// Returns the median of the throughput of each round beside that of another way.
    fn ratio(&self, other: &Self) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        median(
            pairs
                .map(|(own, other)| own.throughput / other.throughput)
                .collect(),
        )
    }
}

/// A connection with at most one call under way.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, request: &str) {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// Reads an answer, which has a length.
    fn answer(&mut self) {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
    }
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

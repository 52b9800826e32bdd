//! The cost of a proxy before the authority: calls straight to it, through `ntro proxy`, and through
//! nginx as a plain reverse proxy where that is installed.
//!
//! ```text
//! cargo bench --bench proxy [-- --rounds 15 --millis 300 --transfer 1024]
//! ```
//!
//! All are separate processes. nginx has two workers, kept connections and an access log, like the
//! proxy, which logs each call. The load comes over 32 open connections, one request at a time on
//! each, in short rounds that alternate between the three, so that other load on the machine affects
//! all of them; the medians are printed. The latency is that of a single connection. At the end,
//! `--transfer` MiB go through the proxy in chunks, in each direction.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, writes its own files, and ends at what it did not expect"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const NTRO: &str = env!("CARGO_BIN_EXE_ntro");
const CONNECTIONS: usize = 32;
/// Threads of the load generator.
const THREADS: usize = 2;
const CHUNK: usize = 64 << 10;

/// A process that ends with this.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn id(&self) -> u32 {
        self.0.id()
    }
}

/// A way to the authority.
struct Way {
    name: &'static str,
    address: SocketAddr,
    key: String,
    throughput: Vec<f64>,
    latency: Vec<Duration>,
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
    let (_server, served) = started(
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

    let (proxy, address, token) = proxy(home, &format!("http://{server}/v1"), &key);
    let mut ways = vec![
        Way::new("direct", server, &key),
        Way::new("ntro proxy", address, &token),
    ];
    let nginx = found("nginx").map(|nginx| start_nginx(&nginx, home, server));
    if let Some((_, address)) = &nginx {
        ways.push(Way::new("nginx", *address, &key));
    }
    for _ in 0..rounds {
        for way in &mut ways {
            way.measure(length);
        }
    }
    println!(
        "{:<12}{:>12}{:>10}{:>12}",
        "", "requests/s", "direct", "p50"
    );
    let direct = median(&mut ways[0].throughput.clone());
    for way in &mut ways {
        let throughput = median(&mut way.throughput);
        let latency = median(&mut way.latency);
        println!(
            "{:<12}{throughput:>12.0}{:>10.2}{:>9} µs",
            way.name,
            throughput / direct,
            latency.as_micros()
        );
    }
    println!("ntro proxy had {} MiB at most", peak(&proxy));
    drop((proxy, nginx));
    transfer(home, usize::try_from(option("--transfer", 1_024)).unwrap());
}

/// Finds a program on this machine.
fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
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
    fn new(name: &'static str, address: SocketAddr, key: &str) -> Self {
        Self {
            name,
            address,
            key: key.to_owned(),
            throughput: Vec::new(),
            latency: Vec::new(),
        }
    }

    fn request(&self) -> Vec<u8> {
        format!(
            "GET /v1/me HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.address, self.key
        )
        .into_bytes()
    }

    fn measure(&mut self, length: Duration) {
        let request = self.request();
        let start = Instant::now();
        let counts: Vec<_> = (0..THREADS)
            .map(|_| {
                let (address, request) = (self.address, request.clone());
                thread::spawn(move || {
                    let mut streams: Vec<_> = (0..CONNECTIONS / THREADS)
                        .map(|_| Connection::open(address))
                        .collect();
                    let mut count = 0_u32;
                    while start.elapsed() < length {
                        for stream in &mut streams {
                            stream.0.get_mut().write_all(&request).unwrap();
                        }
                        for stream in &mut streams {
                            stream.answer();
                            count += 1;
                        }
                    }
                    count
                })
            })
            .collect();
        let count: u32 = counts
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        self.throughput
            .push(f64::from(count) / start.elapsed().as_secs_f64());

        let mut single = Connection::open(self.address);
        let mut times = Vec::new();
        let start = Instant::now();
        while start.elapsed() < length / 3 {
            let before = Instant::now();
            single.0.get_mut().write_all(&request).unwrap();
            single.answer();
            times.push(before.elapsed());
        }
        self.latency.push(median(&mut times));
    }
}

/// A kept connection.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
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

fn median<T: Copy + PartialOrd>(values: &mut [T]) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

/// Returns the most memory that a process had, in MiB.
fn peak(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
}

/// Sends chunks through a proxy in each direction.
fn transfer(home: &Path, megabytes: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || exchange(stream.unwrap(), megabytes));
        }
    });
    let (process, address, token) = proxy(home, &format!("http://{server}"), "ntro_bench_key");
    let head = format!("Host: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n");
    let mut buffer = vec![0; 1 << 20];
    let mut drain = |stream: &mut TcpStream| while stream.read(&mut buffer).unwrap() > 0 {};

    let start = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /down HTTP/1.1\r\n{head}\r\n").unwrap();
    drain(&mut stream);
    let down = start.elapsed();

    let start = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "PUT /up HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n"
    )
    .unwrap();
    send_chunks(&mut stream, megabytes);
    drain(&mut stream);
    let up = start.elapsed();
    let rate = |time: Duration| megabytes as f64 / time.as_secs_f64();
    println!(
        "{megabytes} MiB in chunks: down {:.0} MiB/s, up {:.0} MiB/s, {} MiB of memory at most",
        rate(down),
        rate(up),
        peak(&process)
    );
}

fn send_chunks(stream: &mut TcpStream, megabytes: usize) {
    let mut chunk = format!("{CHUNK:x}\r\n").into_bytes();
    chunk.extend(
        b"a stream of text such as an answer has "
            .iter()
            .cycle()
            .take(CHUNK),
    );
    chunk.extend(b"\r\n");
    for _ in 0..(megabytes << 20) / CHUNK {
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
}

/// Reads a request and answers a download with chunks.
fn exchange(mut stream: TcpStream, megabytes: usize) {
    let mut seen = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    let mut has_head = false;
    loop {
        let read = stream.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..read]);
        has_head |= seen.windows(4).any(|four| four == b"\r\n\r\n");
        if has_head && (seen.starts_with(b"GET") || seen.ends_with(b"0\r\n\r\n")) {
            break;
        }
        if has_head {
            let kept = seen.len().saturating_sub(8);
            seen.drain(..kept);
        }
    }
    let is_download = seen.starts_with(b"GET");
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .unwrap();
    send_chunks(&mut stream, if is_download { megabytes } else { 0 });
}

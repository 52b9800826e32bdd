//! A thousand connections in one configuration: checking, listing and completing them.
//!
//! ```text
//! cargo bench --bench fleet [-- --connections 1000 --rounds 11]
//! ```
//!
//! The authority runs in this process, with a key for each connection. `auth status --all` is
//! compared with the minimum for such a check, one request with each key over as many open
//! connections, and with `curl` doing the same. The other commands are compared with a process that
//! does nothing. All run in turn, once per round; compare ratios, not milliseconds.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and stops where something is wrong"
)]

mod programs;
mod server;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ntro_base::{ApiKey, Provider};
use ntro_client::config::NtroDir;
use ntro_client::secrets::{self, Item, StoreKind, StoreSettings, Stores};
use ntro_client::state::{KeyRecord, KeyRecords};
use programs::{Linked, found, hello, installed};
use server::Server;

/// The concurrency of `auth status`.
const CONCURRENCY: usize = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(default, |at| arguments[at + 1].parse().unwrap())
    };
    let (connections, rounds) = (number("--connections", 1_000), number("--rounds", 11));
    let folder = tempfile::tempdir().unwrap();
    let program = installed(Path::new(env!("CARGO_BIN_EXE_ntro")), folder.path(), "ntro");
    let server = Server::start(
        &folder.path().join("registry.db"),
        Provider::Ntropii,
        connections,
    );
    let in_file = lay_out(&folder.path().join("file"), StoreKind::File, &server);
    let in_clear = lay_out(&folder.path().join("clear"), StoreKind::Plaintext, &server);
    println!("{connections} connections, {rounds} rounds\n");

    let status = |home: &Path| ntro(&program, home, &["auth", "status", "--all"]);
    let address = server.address;
    let keys = Arc::new(server.keys.clone());
    let mut checks = vec![
        Task::new("bare requests, 16 connections", move || {
            ask_all(address, &keys)
        }),
        Task::process("`auth status --all`, keys in the `file` store", || {
            status(&in_file)
        }),
        Task::process("`auth status --all`, keys in the clear", || {
            status(&in_clear)
        }),
    ];
    let parallel = folder.path().join("curl");
    if let Some(curl) = found("curl") {
        write_curl(&parallel, &server);
        let parallel = parallel.clone();
        checks.push(Task::process("`curl --parallel`", move || {
            let mut command = Command::new(&curl);
            command
                .args([
                    "-sS",
                    "-o",
                    "/dev/null",
                    "--parallel",
                    "--parallel-max",
                    "16",
                    "-K",
                ])
                .arg(&parallel);
            command
        }));
    }
    compare("Checking all", rounds, &mut checks);
    for (name, home) in [("the `file` store", &in_file), ("the clear", &in_clear)] {
        let most = (0..3).map(|_| peak(&mut status(home))).max().unwrap();
        println!(
            "\npeak memory of `auth status --all`, keys in {name}: {:.1} MB",
            most as f64 / 1e3
        );
    }

    let hello = hello(folder.path(), Linked::Statically);
    let quick = rounds * 10;
    let mut processes = vec![
        Task::process("static hello world", || Command::new(&hello)),
        Task::process("`auth list`", || {
            ntro(&program, &in_file, &["auth", "list"])
        }),
        Task::process("completing a name, one fits", || {
            complete(&program, &in_file, "c0123")
        }),
        Task::process("completing a name, all fit", || {
            complete(&program, &in_file, "c")
        }),
    ];
    compare("Listing and completing", quick, &mut processes);
}

/// A task to time.
struct Task<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    times: Vec<Duration>,
}

impl<'a> Task<'a> {
    fn new(name: &'static str, run: impl FnMut() + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
            times: Vec::new(),
        }
    }

    fn process(name: &'static str, command: impl Fn() -> Command + 'a) -> Self {
        Self::new(name, move || {
            let status = command()
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success(), "{name} failed: {status}");
        })
    }

    fn median(&mut self) -> f64 {
        self.times.sort_unstable();
        self.times[self.times.len() / 2].as_secs_f64() * 1e3
    }
}

/// Runs the tasks in turn, and prints each relative to the first.
fn compare(title: &str, rounds: usize, tasks: &mut [Task<'_>]) {
    for task in tasks.iter_mut() {
        (task.run)();
    }
    for _ in 0..rounds {
        for task in tasks.iter_mut() {
            let start = Instant::now();
            (task.run)();
            task.times.push(start.elapsed());
        }
    }
    println!("\n### {title}\n");
    println!("| task | least, ms | median, ms | ratio of medians |");
    println!("| --- | ---: | ---: | ---: |");
    let first = tasks[0].median();
    for task in tasks {
        let median = task.median();
        let least = task.times[0].as_secs_f64() * 1e3;
        println!(
            "| {} | {least:.2} | {median:.2} | {:.2} |",
            task.name,
            median / first
        );
    }
}

/// Prepares `ntro` with a home and without the caller's variables.
fn ntro(program: &Path, home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("NTRO_HOME", home)
        .current_dir(home);
    command
}

/// Requests the completions of a name, as the bash script does.
fn complete(program: &Path, home: &Path, typed: &str) -> Command {
    let mut command = ntro(program, home, &["--", "ntro", "auth", "use", typed]);
    command
        .env("COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "3")
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "false")
        .env("_CLAP_IFS", "\n");
    command
}

/// Returns the peak memory of a process, in kilobytes.
fn peak(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let file = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(line) = line {
            let number = line.trim().trim_end_matches(" kB").trim();
            most = most.max(number.parse().unwrap());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    most
}

/// Writes a home with a connection for each key, like that of a thousand logins.
fn lay_out(folder: &Path, kind: StoreKind, server: &Server) -> PathBuf {
    let home = NtroDir::at(folder);
    let lock = home.lock().unwrap();
    secrets::create_identity(&folder.join("identity.txt"), &lock).unwrap();
    let origin = format!("http://{}", server.address);
    let mut config = "default_connection_name = \"c0000\"\n".to_owned();
    let mut logins = KeyRecords::default();
    let stores = Stores::new(StoreSettings::new(folder.to_owned()));
    for (index, key) in server.keys.iter().enumerate() {
        let name = format!("c{index:04}");
        let _ = write!(
            config,
            "\n[connections.{name}]\nhost = \"{origin}/v1\"\ndefault_tenant = \"acme\"\nprovider = \"ntropii\"\nstore = \"{kind}\"\n"
        );
        if kind == StoreKind::Plaintext {
            let _ = writeln!(config, "api_key = \"{}\"", key.expose());
        } else {
            let item = Item::new(name.parse().unwrap(), origin.parse().unwrap());
            stores.get(kind).put(&item, key, &lock).unwrap();
        }
        let login = KeyRecord {
            store: kind.to_string(),
            origin: origin.clone(),
            provider: "ntropii".to_owned(),
            key_prefix: key.prefix().to_string(),
            stored_at: jiff::Timestamp::now(),
            expires_at: None,
        };
        logins.insert(&name, login);
    }
    logins.save(&home.logins(), &lock).unwrap();
    ntro_base::disk::replace(&home.config(), config.as_bytes(), &lock).unwrap();
    folder.to_owned()
}

/// Sends one request with each key: the minimum that a check needs.
fn ask_all(address: SocketAddr, keys: &[ApiKey]) {
    std::thread::scope(|scope| {
        for part in keys.chunks(keys.len().div_ceil(CONCURRENCY)) {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buffer = [0; 4_096];
                for key in part {
                    let request = format!(
                        "GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
                        key.expose()
                    );
                    stream.write_all(request.as_bytes()).unwrap();
                    // A response of a few hundred bytes arrives in one read.
                    let read = stream.read(&mut buffer).unwrap();
                    assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
                }
            });
        }
    });
}

/// Writes the configuration of `curl`: one request with each key.
fn write_curl(path: &Path, server: &Server) {
    let mut text = String::new();
    for (index, key) in server.keys.iter().enumerate() {
        if index > 0 {
            text.push_str("next\nsilent\nshow-error\noutput = \"/dev/null\"\n");
        }
        let _ = write!(
            text,
            "url = \"http://{}/v1/me\"\nheader = \"Authorization: Bearer {}\"\n",
            server.address,
            key.expose()
        );
    }
    std::fs::write(path, text).unwrap();
}

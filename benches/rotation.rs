//! A rotation, compared with printing the key, where a passphrase opens the key file.
//!
//! ```text
//! cargo bench --bench rotation -- [--rounds 11]
//! ```
//!
//! `ntro auth token` opens the file once, and stretching the passphrase for that is nearly all of
//! its time. `ntro auth rotate` opens it once and seals it once, each with its own salt, so it may
//! take a little more than twice as long: three times is the most. The authority runs in this
//! process, and the server's time is part of the rotation's.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and stops where something is wrong"
)]

mod server;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ntro_base::Provider;
use server::Server;

/// The most that a rotation may take, in times of `auth token`.
const MOST: f64 = 3.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = arguments.iter().position(|argument| argument == "--rounds");
    let rounds = rounds.map_or(11, |at| arguments[at + 1].parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("registry.db"), Provider::Ontora, 1);
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let host = format!("http://{}", server.address);
    let ntro = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
        command
            .args(arguments)
            .env_clear()
            .env("NTRO_HOME", &home)
            .env("NTRO_PASSPHRASE", "open sesame")
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    };
    let login = [
        "auth",
        "login",
        "--name",
        "local",
        "--host",
        &host,
        "--store",
        "file",
        "--api-key",
        "-",
    ];
    let mut login = ntro(&login).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = login.stdin.take().unwrap();
    stdin.write_all(server.keys[0].expose().as_bytes()).unwrap();
    drop(stdin);
    assert!(login.wait().unwrap().success());

    let tasks: [(&str, &[&str]); 2] = [
        ("`auth token`", &["auth", "token"]),
        ("`auth rotate`", &["auth", "rotate"]),
    ];
    let mut times = tasks.map(|_| Vec::new());
    for round in 0..=rounds {
        for ((_, arguments), times) in tasks.iter().zip(&mut times) {
            let start = Instant::now();
            run(&mut ntro(arguments));
            // The first round warms up.
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    println!("### The `file` store with a passphrase, {rounds} rounds\n");
    println!("| task | least, ms | median, ms | ratio of medians |");
    println!("| --- | ---: | ---: | ---: |");
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let mut first = None;
    let mut ratio = 1.0;
    for ((name, _), mut times) in tasks.into_iter().zip(times) {
        times.sort_unstable();
        let median = milliseconds(times[times.len() / 2]);
        ratio = median / *first.get_or_insert(median);
        let least = milliseconds(times[0]);
        println!("| {name} | {least:.2} | {median:.2} | {ratio:.2} |");
    }
    assert!(
        ratio <= MOST,
        "a rotation takes more than {MOST} times as long"
    );
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

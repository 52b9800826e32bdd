//! Whole processes, from start to exit, each compared with a peer in the same run.
//!
//! `scripts/bench startup` provides everything this needs: a private Secret Service, the official
//! clients, `curl`, `gh` and `secret-tool`. The programs run in turn, once per round, so that other
//! load affects all of them equally; compare ratios, not milliseconds.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and stops where something is wrong"
)]

mod programs;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use programs::{Linked, found, hello, installed};

/// A program and its times.
struct Program {
    name: String,
    command: Command,
    times: Vec<Duration>,
}

impl Program {
    fn new(name: impl Into<String>, program: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let mut command = Command::new(program.as_ref());
        command
            .args(arguments)
            // Set by Cargo; the dynamic linker would search it first.
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self {
            name: name.into(),
            command,
            times: Vec::new(),
        }
    }

    fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    fn run(&mut self) {
        let start = Instant::now();
        let status = self.command.status().unwrap();
        self.times.push(start.elapsed());
        assert!(status.success(), "{} failed: {status}", self.name);
    }

    fn least(&self) -> f64 {
        self.times.iter().min().unwrap().as_secs_f64() * 1e3
    }

    fn median(&mut self) -> f64 {
        self.times.sort_unstable();
        self.times[self.times.len() / 2].as_secs_f64() * 1e3
    }
}

/// Runs the programs in turn, and prints each relative to the first, the peer.
fn compare(title: &str, rounds: usize, mut programs: Vec<Program>) -> Vec<f64> {
    for program in &mut programs {
        program.run();
        program.times.clear();
    }
    for _ in 0..rounds {
        programs.iter_mut().for_each(Program::run);
    }
    println!("\n### {title}\n");
    println!("| program | least, ms | median, ms | ratio of least | ratio of medians |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let (least, median) = (programs[0].least(), programs[0].median());
    for program in &mut programs {
        let (own_least, own_median) = (program.least(), program.median());
        println!(
            "| {} | {own_least:.2} | {own_median:.2} | {} | {} |",
            program.name,
            ratio(own_least, least),
            ratio(own_median, median)
        );
    }
    programs.iter_mut().map(Program::median).collect()
}

/// Formats a ratio with at least two significant digits.
fn ratio(own: f64, peer: f64) -> String {
    match own / peer {
        ratio if ratio < 0.1 => format!("{ratio:.4}"),
        ratio => format!("{ratio:.2}"),
    }
}

/// Other builds of the program: lines of `name=path` in `NTRO_BUILDS`.
fn other_builds() -> Vec<(String, PathBuf)> {
    let builds = std::env::var("NTRO_BUILDS").unwrap_or_default();
    builds
        .lines()
        .map(|line| {
            let (name, path) = line.split_once('=').unwrap();
            (name.to_owned(), PathBuf::from(path))
        })
        .collect()
}

/// An authority, with connections logged in to it.
struct Dev {
    child: Child,
    origin: String,
}

impl Dev {
    fn start(ntro: &Path, home: &Path) -> Self {
        let mut child = Command::new(ntro)
            .args(["dev", "--listen", "127.0.0.1:0", "-o", "json"])
            .env("NTRO_HOME", home)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines
            .map(Result::unwrap)
            .find(|line| line.contains("\"listening\""))
            .unwrap();
        let origin = line.split('"').nth(3).unwrap().to_owned();
        // Its last line is the end of its report.
        Self { child, origin }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let program = installed(Path::new(env!("CARGO_BIN_EXE_ntro")), folder.path(), "ntro");
    let dev = Dev::start(&program, &home);
    let built = |name: &str, program: &Path, arguments: &[&str]| {
        Program::new(name, program, arguments).env("NTRO_HOME", &home)
    };
    let ntro = |name: &str, arguments: &[&str]| built(name, &program, arguments);
    let key = output(
        Command::new(&program)
            .args(["auth", "token"])
            .env("NTRO_HOME", &home),
    );
    let store = output(
        Command::new(&program)
            .args(["auth", "list", "-o", "json"])
            .env("NTRO_HOME", &home),
    );
    let in_keyring = store.contains("\"store\": \"keyring\"");

    // The official CLI reads the key from its own file.
    let official_home = folder.path().join("official");
    std::fs::create_dir(&official_home).unwrap();
    std::fs::write(
        official_home.join("config.toml"),
        format!(
            "default_connection_name = \"local\"\n[connections.local]\nhost = \"{}/v1\"\napi_key = \"{key}\"\n",
            dev.origin
        ),
    )
    .unwrap();
    let official = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/bin/ntro");
    let official = |name, arguments: &[&str]| {
        Program::new(name, &official, arguments).env("NTRO_HOME", &official_home)
    };
    let has_official = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/clients/bin/ntro")
        .is_file();

    let quick = 300;
    let mut listing = vec![
        Program::new(
            "static hello world",
            hello(folder.path(), Linked::Statically),
            &[],
        ),
        Program::new(
            "dynamic hello world",
            hello(folder.path(), Linked::Dynamically),
            &[],
        ),
        ntro("`ntro --version`", &["--version"]),
        ntro("`ntro auth list`", &["auth", "list"]),
    ];
    let list = |program: &Path| {
        output(
            Command::new(program)
                .args(["auth", "list"])
                .env("NTRO_HOME", &home),
        )
    };
    for (number, (name, path)) in other_builds().into_iter().enumerate() {
        let other = installed(&path, folder.path(), &format!("ntro-{number}"));
        assert_eq!(list(&other), list(&program), "{name}");
        let name = format!("`ntro auth list`, {name}");
        listing.push(built(&name, &other, &["auth", "list"]));
    }
    let medians = compare("Listing connections", quick, listing);
    let [_, dynamic, _, installed, ..] = medians[..] else {
        panic!("the rows above are in this order")
    };
    println!(
        "\n`ntro auth list` beside the dynamic hello world: {} (ratio of medians)",
        ratio(installed, dynamic)
    );

    match (found("secret-tool"), in_keyring) {
        (Some(secret_tool), true) => {
            let account = format!("local@{}", dev.origin);
            let lookup = ["lookup", "service", "ntro", "username", &account];
            compare(
                "The key from the Secret Service",
                quick,
                vec![
                    Program::new("`secret-tool lookup`", secret_tool, &lookup),
                    ntro("`ntro auth token`", &["auth", "token"]),
                ],
            );
        }
        _ => println!("\nNo Secret Service or no `secret-tool` here: run `scripts/bench startup`."),
    }

    if let Some(curl) = found("curl") {
        let (header, url) = (
            format!("Authorization: Bearer {key}"),
            format!("{}/v1/me", dev.origin),
        );
        compare(
            "Who am I, on loopback; the keyring and two calls included",
            quick,
            vec![
                Program::new(
                    "`curl`, one call, key given",
                    curl,
                    &["-fsS", "-H", &header, &url],
                ),
                ntro("`ntro auth whoami`", &["auth", "whoami"]),
            ],
        );
    }

    if has_official {
        compare(
            "Beside the official Python CLI: list",
            10,
            vec![
                official("official `ntro auth list`", &["auth", "list"]),
                ntro("`ntro auth list`", &["auth", "list"]),
            ],
        );
        compare(
            "Beside the official Python CLI: whoami",
            10,
            vec![
                official("official `ntro auth whoami`", &["auth", "whoami"]),
                ntro("`ntro auth whoami`", &["auth", "whoami"]),
            ],
        );
    }
    if let Some(gh) = found("gh") {
        let config = folder.path().join("gh");
        std::fs::create_dir(&config).unwrap();
        std::fs::write(
            config.join("hosts.yml"),
            "github.com:\n    user: ada\n    oauth_token: t\n",
        )
        .unwrap();
        compare(
            "Beside gh: a token",
            50,
            vec![
                Program::new("`gh auth token` (from its file)", gh, &["auth", "token"])
                    .env("GH_CONFIG_DIR", config),
                ntro("`ntro auth token`", &["auth", "token"]),
            ],
        );
    }
}

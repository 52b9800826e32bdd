//! `kill -9` at any instant: the files are whole, the other connections are there, the next
//! command works, and nothing is littered.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ntro_client::config::{Config, KeyRecords};

use crate::support::{Sandbox, at_each_effect};

/// Commands for each store, most of which are killed.
const RUNS: u32 = 200;
/// Nobody asks this server: it would make no difference after the first write.
const HOST: &str = "http://localhost:1/v1";
const KEPT: &str = "ntro_prod_kept_k9Zr4MxQ2bLw";

/// Numbers that look random and are the same for a seed.
pub struct Random(u64);

impl Random {
    /// Begins anywhere.
    pub fn new() -> (u64, Self) {
        let seed = RandomState::new().build_hasher().finish();
        // Zero is the one number from which no other follows.
        (seed, Self(seed.max(1)))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// What is done and killed: the arguments, and what comes on standard input.
fn changes(store: &str, round: u64) -> Vec<(String, String)> {
    let key = format!("ntro_prod_{round}_Jf83nd72jfk38dh");
    let login = |name: &str| {
        format!(
            "auth login --no-verify --api-key-stdin --store {store} --name {name} --host {HOST}"
        )
    };
    vec![
        (login("volatile"), key.clone()),
        (login("volatile"), key.clone()),
        ("auth rename volatile other".to_owned(), String::new()),
        ("auth use kept".to_owned(), String::new()),
        ("auth logout other".to_owned(), String::new()),
        (login("other"), key),
        ("auth use other".to_owned(), String::new()),
        ("auth remove other".to_owned(), String::new()),
    ]
}

/// Runs a command and kills it after a while, if it has not ended by then. Returns how long it
/// lived and whether it was killed.
pub fn run_killed(
    sandbox: &Sandbox,
    arguments: &str,
    input: &str,
    after: Duration,
) -> (Duration, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
    sandbox.prepare(&mut command);
    let mut child = command
        .args(arguments.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    // It may be gone before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let took = thread::scope(|scope| {
        let pid = rustix::process::Pid::from_child(&child);
        scope.spawn(move || {
            // The instant itself is what is wanted: there is no condition to wait for.
            if end.recv_timeout(after).is_err() {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        });
        // Reaped only after the killer is done, so that the number is nobody else's.
        let ending = loop {
            let gone = rustix::process::waitid(
                rustix::process::WaitId::Pid(pid),
                rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
            );
            if gone.is_ok() {
                break started.elapsed();
            }
        };
        let _ = ended.send(());
        ending
    });
    (took, child.wait().unwrap().code().is_none())
}

fn files_survive(store: &str) {
    let (seed, mut random) = Random::new();
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.log_in(
        &format!("--no-verify --store {store} --name kept"),
        HOST,
        KEPT,
    );
    let never = Duration::from_secs(60);
    // How long each takes when it is left alone: instants are spread over that.
    let lives: Vec<_> = changes(store, 0)
        .iter()
        .map(|(arguments, input)| run_killed(&sandbox, arguments, input, never))
        .collect();

    let (mut runs, mut kills) = (0, 0);
    for round in 1.. {
        for ((arguments, input), (life, _)) in changes(store, round).iter().zip(&lives) {
            let after = Duration::from_nanos(random.below(life.as_nanos() as u64 * 11 / 10));
            let (_, killed) = run_killed(&sandbox, arguments, input, after);
            runs += 1;
            kills += u32::from(killed);
            let place = format!("seed {seed}, run {runs}: `ntro {arguments}` after {after:?}");
            check(&sandbox, &place);
        }
        if runs >= RUNS {
            break;
        }
    }
    assert!(kills > RUNS / 4, "only {kills} of {runs} were killed");
}

/// Holds the files to be whole, and the connection that nobody touched to be there with its key.
fn check(sandbox: &Sandbox, place: &str) {
    let folder = sandbox.ntro_home();
    let config = Config::read(&folder.join("config.toml"));
    let config = config.unwrap_or_else(|error| panic!("{place}: {error}"));
    KeyRecords::read(&folder.join("logins.toml"))
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(config.connections.contains_key("kept"), "{place}: lost");
    // The encrypted file opens, and nobody holds the lock.
    let token = sandbox.ntro("auth token -c kept").run();
    assert_eq!(token.stdout.trim_end(), KEPT, "{place}: {token}");
    // Any change takes away what was left half way, whatever it is about.
    let next = sandbox.ntro("auth use kept").run();
    assert_eq!(next.code, Some(0), "{place}: {next}");
    sandbox.assert_no_litter();
    // A connection that was being changed has a key or has none; there is nothing in between.
    for name in config.names() {
        let token = sandbox.ntro("auth token -c").arg(name).run();
        assert!(matches!(token.code, Some(0 | 4)), "{place}: {token}");
    }
}

#[test]
fn the_encrypted_file_survives_kills_at_any_instant() {
    files_survive("file");
}

#[test]
fn the_configuration_survives_kills_at_any_instant() {
    files_survive("plaintext");
}

/// Where [`files_survive`] hits some instant, this hits every state that a kill can leave.
#[test]
#[ignore = "needs strace: run scripts/test"]
fn the_encrypted_file_survives_a_kill_before_each_effect() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let login = |name: &str, key: &str| {
        sandbox.log_in(
            &format!("--no-verify --store file --name {name}"),
            HOST,
            key,
        );
    };
    login("kept", KEPT);
    for change in [
        "auth rename volatile other",
        "auth use volatile",
        "auth logout volatile",
        "auth remove volatile",
    ] {
        let kills = at_each_effect(
            &sandbox,
            change,
            |_| {
                let _ = sandbox.ntro("auth remove other").run();
                login("volatile", "ntro_prod_volatile_Jf83nd72jfk38dh");
            },
            |done| check(&sandbox, &format!("`ntro {change}` after {done} effects")),
        );
        assert!(kills > 4, "only {kills} effects of `ntro {change}`");
    }
}

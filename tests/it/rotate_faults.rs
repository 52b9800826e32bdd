//! Faults in each request of a rotation, before and after the server has processed it: the
//! connection works, the next run completes, and one key is live.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use ntro_base::Provider;

use crate::support::{Authority, Fault, Faulty, Sandbox, When, tell};

const TENANT: &str = "acme-fund-admin";

/// More requests than any rotation sends; reaching it means an endless loop.
const LIMIT: usize = 30;

/// Repeats rotations, each time with a fault in another request. Most of the time is spent waiting
/// for responses that never arrive, so several homes wait in parallel.
fn survives(provider: Provider, by_itself: bool, least: usize) {
    let refused = |again| move |status| (Fault::Status(status), again);
    let faults = [
        [401, 403, 409, 500].map(refused(true)).to_vec(),
        [401, 403].map(refused(false)).to_vec(),
        vec![(Fault::Status(429), true), (Fault::Cut, true)],
        vec![(Fault::Late, true), (Fault::Dead, true)],
    ];
    let hits: usize = std::thread::scope(|scope| {
        let mut homes = Vec::new();
        for faults in &faults {
            for when in [When::Before, When::After] {
                homes.push(scope.spawn(move || survives_each(provider, by_itself, faults, when)));
            }
        }
        homes.into_iter().map(|home| home.join().unwrap()).sum()
    });
    tell(&format!(
        "{hits} faults: {provider}, by itself: {by_itself}"
    ));
    assert!(hits >= least, "only {hits} faults");
}

fn survives_each(
    provider: Provider,
    by_itself: bool,
    faults: &[(Fault, bool)],
    when: When,
) -> usize {
    let authority = Authority::start();
    let faulty = Faulty::before(authority.address());
    let mut sandbox = Sandbox::new();
    sandbox.make_identity();
    if !by_itself {
        let token = authority.admin_token_for(SignedDuration::from_hours(10));
        sandbox.set("NTRO_ADMIN_TOKEN", token);
    }
    let key = authority.key_with(provider, TENANT, |new| new.may_rotate = by_itself);
    let path = match provider {
        Provider::Ntropii => "/v1",
        Provider::Ontora => "",
    };
    let host = format!("http://{}{path}", faulty.address());
    sandbox.log_in("--name local --store plaintext", &host, &key.key);

    let mut hits = 0;
    for &(fault, again) in faults {
        for number in 1..LIMIT {
            faulty.plan(number, fault, when, again);
            let run = sandbox.ntro("auth rotate").env("NTRO_TIMEOUT", "1").run();
            let hit = faulty.heal();
            let place = format!("{fault:?} {when:?}, request {number}, {hit:?}:\n{run}");
            check(&authority, &sandbox, &place);
            // A busy machine may exceed the deadline without a fault.
            if hit.is_none() && run.code == Some(0) {
                break;
            }
            assert!(number + 1 < LIMIT && run.code.is_some(), "{place}");
            hits += usize::from(hit.is_some());
        }
    }
    hits
}

fn check(authority: &Authority, sandbox: &Sandbox, place: &str) {
    assert_whole(sandbox, place, || authority.live_keys(TENANT));
}

fn assert_whole(sandbox: &Sandbox, place: &str, live: impl FnOnce() -> Vec<String>) {
    let whoami = sandbox.ntro("auth whoami").run();
    assert_eq!(whoami.code, Some(0), "{place}: {whoami}");
    let next = sandbox.ntro("auth rotate").run();
    assert_eq!(next.code, Some(0), "{place}: {next}");
    let live = live();
    assert_eq!(live.len(), 1, "{place}: {live:?}\n{next}");
    let token = sandbox.ntro("auth token").run();
    assert!(token.stdout.starts_with(&live[0]), "{place}: {token}");
    sandbox.assert_no_litter();
}

/// A real `ntro serve`, which a test kills and starts again on the same registry.
struct Serving {
    child: Child,
    address: SocketAddr,
    _stdout: BufReader<ChildStdout>,
}

impl Serving {
    fn start(home: &Sandbox) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
        home.prepare(&mut command);
        let mut child = command
            .args(["serve", "-o", "json", "--listen", "127.0.0.1:0"])
            .args(["--rate-limit", "0", "--failure-limit", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            assert!(stdout.read_line(&mut text).unwrap() > 0, "it ended: {text}");
        }
        let listening: serde_json::Value = serde_json::from_str(&text).unwrap();
        Self {
            address: listening["address"].as_str().unwrap().parse().unwrap(),
            child,
            _stdout: stdout,
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Stops the server at the end of the test: the earlier listener lives as long as the process.
struct Ends(Arc<Mutex<Option<Serving>>>);

impl Drop for Ends {
    fn drop(&mut self) {
        let mut serving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(serving.take());
    }
}

/// `kill -9` of the authority at each request: everything it has answered is durable.
#[test]
fn authority_is_killed() {
    std::thread::scope(|scope| {
        for provider in Provider::ALL {
            for when in [When::Before, When::After] {
                scope.spawn(move || survives_kills_of_the_authority(provider, when));
            }
        }
    });
}

fn survives_kills_of_the_authority(provider: Provider, when: When) {
    let registry = Sandbox::new();
    let admin = |line: &str| {
        let run = registry.ntro("admin -o json").args(line).run().success();
        run.json()
    };
    admin("organisation create Acme");
    admin(&format!("tenant create {TENANT}"));
    let (scope, path) = match provider {
        Provider::Ntropii => ("", "/v1"),
        Provider::Ontora => ("--scope *", ""),
    };
    let made = admin(&format!(
        "key create --tenant {TENANT} --provider {provider} {scope}"
    ));
    let first = Serving::start(&registry);
    let faulty = Faulty::before(first.address);
    let serving = Arc::new(Mutex::new(Some(first)));
    let _ends = Ends(Arc::clone(&serving));
    let killed = Arc::clone(&serving);
    faulty.when_dead(move || drop(killed.lock().unwrap().take()));

    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let host = format!("http://{}{path}", faulty.address());
    sandbox.log_in(
        "--name local --store plaintext",
        &host,
        made["key"].as_str().unwrap(),
    );
    let mut kills = 0;
    for number in 1..LIMIT {
        faulty.plan(number, Fault::Dead, when, true);
        let run = sandbox.ntro("auth rotate").env("NTRO_TIMEOUT", "1").run();
        let hit = faulty.heal();
        let place = format!("killed {when:?} request {number}, {hit:?}:\n{run}");
        let mut serving = serving.lock().unwrap();
        if serving.is_none() {
            let next = Serving::start(&registry);
            faulty.lead_to(next.address);
            *serving = Some(next);
            kills += 1;
        }
        drop(serving);
        assert_whole(&sandbox, &place, || {
            let keys = admin(&format!("key list --tenant {TENANT}"));
            let keys = keys.as_array().unwrap().clone();
            let live = keys.iter().filter(|key| key["state"] == "live");
            live.map(|key| key["key_prefix"].as_str().unwrap().to_owned())
                .collect()
        });
        if hit.is_none() && run.code == Some(0) {
            break;
        }
        assert!(number + 1 < LIMIT && run.code.is_some(), "{place}");
    }
    assert!(kills >= 5, "only {kills} kills");
}

#[test]
fn ntropii_key_rotates_itself() {
    survives(Provider::Ntropii, true, 80);
}

#[test]
fn ontora_key_rotates_itself() {
    survives(Provider::Ontora, true, 80);
}

#[test]
fn ntropii_key_replaced_by_administrator() {
    survives(Provider::Ntropii, false, 80);
}

#[test]
fn ontora_key_replaced_by_administrator() {
    survives(Provider::Ontora, false, 80);
}

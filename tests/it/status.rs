//! Checks of many connections in parallel, and renaming one of them.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use ntro_base::Provider;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Authority, Mode, Outcome, Reply, Sandbox, SecretService, Stub, Terminal};

/// Returns a plain-text connection for `config.toml`.
fn plain(name: &str, host: &str, key: &str) -> String {
    format!("[connections.{name}]\nhost = \"{host}\"\napi_key = \"{key}\"\n\n")
}

/// Returns the response of an Ontora server for a key with this expiry.
fn ontora(expires_at: &str) -> Reply {
    Reply::Json(
        200,
        json!({
            "id": "k1", "workspace_id": "ws_1", "name": "CI", "key_prefix": "ont_live_good",
            "scopes": ["*"], "expires_at": expires_at, "created_at": "2026-01-01T00:00:00Z",
        }),
    )
}

/// Returns a host without a listener.
fn stopped() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}

fn rows(status: &Outcome) -> Vec<Value> {
    status.json().as_array().unwrap().clone()
}

/// Runs a check as text and as JSON, and checks that both and the exit code agree.
fn agreeing(sandbox: &Sandbox, line: &str, code: i32) -> (String, Vec<Value>) {
    let text = sandbox.ntro(line).run().exits(code);
    let json = sandbox.ntro(line).args("-o json").run().exits(code);
    let rows = rows(&json);
    let well = rows.iter().all(|row| row["ok"] == true);
    assert_eq!(well, code == 0, "{json}");
    let lines: Vec<_> = text.stdout.lines().skip(1).collect();
    assert_eq!(lines.len(), rows.len(), "{text}");
    for (line, row) in lines.iter().zip(&rows) {
        let status = match row["state"].as_str().unwrap() {
            "expiring" => "expires ".to_owned(),
            state => state.replace('_', " "),
        };
        assert!(
            line.starts_with(row["connection"].as_str().unwrap()),
            "{line}"
        );
        assert!(line.contains(&status), "{status}: {line}");
    }
    (text.stdout.clone(), rows)
}

#[test]
fn exit_code_covers_all_connections() {
    let authority = Authority::start();
    let broken = Stub::start(|_| Reply::Cut);
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let good = authority.key(Provider::Ntropii, "acme-fund-admin");
    let later = authority.key_with(Provider::Ontora, "acme-fund-admin", |new| {
        new.expires_in_days = Some(30);
    });
    let revoked = authority.key(Provider::Ontora, "acme-fund-admin");
    let (ntropii, ontora) = (
        authority.host(Provider::Ntropii),
        authority.host(Provider::Ontora),
    );
    for (name, host, key) in [
        ("a-good", &ntropii, &good),
        ("b-later", &ontora, &later),
        ("c-revoked", &ontora, &revoked),
        ("d-broken", &broken.host(), &good),
        ("e-out", &ntropii, &good),
    ] {
        sandbox.log_in(
            &format!("--no-verify --store file --name {name}"),
            host,
            &key.key,
        );
    }
    authority.revoke(&revoked);
    sandbox.ntro("auth logout e-out").run().success().done();

    sandbox.ntro("auth status").run().success().done();
    let (_, rows) = agreeing(&sandbox, "auth status --all", 4);
    let states: Vec<_> = rows
        .iter()
        .map(|row| format!("{} {}", row["connection"], row["state"]))
        .collect();
    assert_snapshot!(states.join("\n"), @r#"
        "a-good" "valid"
        "b-later" "valid"
        "c-revoked" "rejected"
        "d-broken" "unreachable"
        "e-out" "no_key"
        "#);
    sandbox.ntro("auth remove c-revoked").run().success().done();
    sandbox.ntro("auth remove e-out").run().success().done();
    agreeing(&sandbox, "auth status --all", 6);
    sandbox.ntro("auth remove d-broken").run().success().done();
    let (text, rows) = agreeing(&sandbox, "auth status --all", 0);
    assert!(text.contains("expires in 29 days"), "{text}");
    assert_eq!(rows[1]["expires_in_days"], 29);
    for key in [&good, &later, &revoked] {
        sandbox.assert_nowhere(&key.key);
    }
}

#[test]
fn expiring_key_is_reported() {
    let authority = Authority::start();
    let key = authority.key_with(Provider::Ontora, "acme-fund-admin", |new| {
        new.expires_in_days = Some(10);
    });
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox
        .ntro("auth login --store file --api-key-stdin --name soon")
        .args(&format!("--host {}", authority.host(Provider::Ontora)))
        .input(&key.key)
        .run()
        .success()
        .complains("warning: the API key of `soon` expires in 9 days, at 20")
        .done();
    sandbox
        .ntro("auth whoami -q")
        .run()
        .success()
        .complains("the API key of `soon` expires in 9 days")
        .done();
    let (_, rows) = agreeing(&sandbox, "auth status", 0);
    assert_eq!(
        (&rows[0]["state"], &rows[0]["ok"]),
        (&json!("expiring"), &json!(true))
    );
    let (_, rows) = agreeing(&sandbox, "auth status --warn-within 14d", 1);
    assert_eq!(
        (&rows[0]["state"], &rows[0]["ok"]),
        (&json!("expiring"), &json!(false))
    );
    let (text, rows) = agreeing(&sandbox, "auth status --all --warn-within 1w", 0);
    assert_eq!(rows[0]["state"], "valid");
    assert!(text.contains("expires in 9 days"), "{text}");
}

#[test]
fn server_decides_whether_key_expired() {
    let refusing = Arc::new(AtomicBool::new(false));
    let refuses = Arc::clone(&refusing);
    let server = Stub::start(move |_| match refuses.load(Ordering::Relaxed) {
        true => Reply::unauthorized(),
        false => ontora("2026-01-02T00:00:00Z"),
    });
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox
        .ntro("auth login --store file --api-key-stdin --name old")
        .args(&format!("--host {}", server.origin()))
        .input("ont_live_good_0123456789")
        .run()
        .success()
        .complains("the API key of `old` ends at 2026-01-02T00:00:00Z: the server accepts it")
        .done();
    let (text, rows) = agreeing(&sandbox, "auth status", 0);
    assert_eq!(rows[0]["state"], "expiring");
    assert!(text.contains("`ntro doctor` compares the clocks"), "{text}");
    agreeing(&sandbox, "auth status --warn-within 1d", 1);
    assert!(rows[0]["expires_in_days"].as_i64().unwrap() < 0);
    refusing.store(true, Ordering::Relaxed);
    let (_, rows) = agreeing(&sandbox, "auth status --all", 4);
    assert_eq!(rows[0]["state"], "expired");
    assert_eq!(rows[0]["expires_at"], "2026-01-02T00:00:00Z");
}

#[test]
fn failures_are_distinguished() {
    let forbidding = Stub::start(|_| Reply::Json(403, json!({"message": "not for you"})));
    let busy = Stub::start(|_| Reply::Json(500, json!({"message": "oh"})));
    let good = Stub::ntropii(&["acme"]);
    let mut sandbox = Sandbox::new();
    sandbox.write_config(
        &[
            plain("a-good", &good.host(), "ntro_prod_good"),
            plain("b-forbidden", &forbidding.host(), "ntro_prod_good"),
            plain("c-stopped", &stopped(), "ntro_prod_good"),
            plain("d-failing", &busy.host(), "ntro_prod_good"),
            format!(
                "[connections.e-nowhere]\nhost = \"{}\"\nstore = \"keyring\"\n\n",
                good.host()
            ),
            "[connections.f-hostless]\nstore = \"plaintext\"\n\n".to_owned(),
            plain("g-odd", &good.host(), "ntro prod"),
        ]
        .concat(),
    );
    sandbox
        .ntro("auth login --no-verify --store file --api-key-stdin --no-set-default")
        .args(&format!("--name h-locked --host {}", good.host()))
        .env("NTRO_PASSPHRASE", "open sesame")
        .input("ntro_prod_good")
        .run()
        .success()
        .done();
    let (_, rows) = agreeing(&sandbox, "auth status --all", 5);
    let states: Vec<_> = rows
        .iter()
        .map(|row| format!("{} {}", row["connection"], row["state"]))
        .collect();
    assert_snapshot!(states.join("\n"), @r#"
        "a-good" "valid"
        "b-forbidden" "forbidden"
        "c-stopped" "unreachable"
        "d-failing" "failed"
        "e-nowhere" "store_unavailable"
        "f-hostless" "failed"
        "g-odd" "failed"
        "h-locked" "locked"
        "#);
    for (name, code) in [
        ("a-good", 0),
        ("b-forbidden", 5),
        ("c-stopped", 6),
        ("d-failing", 1),
        ("e-nowhere", 8),
        ("f-hostless", 3),
        ("g-odd", 3),
        ("h-locked", 8),
    ] {
        agreeing(&sandbox, &format!("auth status -c {name}"), code);
    }
    sandbox.set("NTRO_PASSPHRASE", "open sesame");
    agreeing(&sandbox, "auth status -c h-locked", 0);
    // The variables of the active connection do not affect the others.
    sandbox.set("NTRO_API_KEY", "ntro_prod_bad");
    agreeing(&sandbox, "auth status -c h-locked", 4);
    let (_, rows) = agreeing(&sandbox, "auth status --all", 5);
    assert_eq!(rows[7]["state"], "valid");
}

#[test]
fn silent_server_costs_one_row() {
    let silent = Stub::start(|_| Reply::Silence);
    let good = Stub::ntropii(&["acme"]);
    let sandbox = Sandbox::new();
    let mut config = plain("a-silent", &silent.host(), "ntro_prod_good");
    for number in 0..20 {
        config += &plain(&format!("b-{number:02}"), &good.host(), "ntro_prod_good");
    }
    sandbox.write_config(&config);
    // With two jobs, the silent server occupies one while all others use the other.
    let (_, rows) = agreeing(&sandbox, "auth status --all --jobs 2 --timeout 2s", 6);
    assert_eq!(rows[0]["state"], "unreachable");
    assert!(rows[1..].iter().all(|row| row["state"] == "valid"));
    assert_eq!(good.seen().len(), 2 * 20);
}

#[test]
fn concurrency_has_its_limit() {
    const JOBS: usize = 4;
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (seen, all_there) = (Arc::clone(&most), Barrier::new(JOBS));
    let server = Stub::start(move |_| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // No request is answered before the maximum number has arrived.
        all_there.wait();
        now.fetch_sub(1, Ordering::SeqCst);
        Reply::Json(
            200,
            json!({"id": "u1", "email": "a@b.test", "name": "A", "orgId": "o", "roles": []}),
        )
    });
    let sandbox = Sandbox::new();
    let config: String = (0..5 * JOBS)
        .map(|number| plain(&format!("c{number}"), &server.host(), "ntro_prod_good"))
        .collect();
    sandbox.write_config(&config);
    for option in ["--jobs", "--concurrency"] {
        sandbox
            .ntro("auth status --all")
            .args(&format!("{option} {JOBS}"))
            .run()
            .success()
            .done();
    }
    assert_eq!(most.load(Ordering::SeqCst), JOBS);
}

#[test]
fn impossible_intervals_are_refused() {
    let sandbox = Sandbox::new();
    for line in [
        "auth status --timeout 0s",
        "auth status --timeout 5",
        "auth status --warn-within soon",
        "auth status --warn-within 99999999d",
        "auth status --watch 0ms",
        "auth status --jobs 0",
        "auth status --jobs 257",
    ] {
        sandbox.ntro(line).run().exits(2).done();
    }
    sandbox
        .ntro("auth status --all")
        .run()
        .success()
        .complains("There are no connections yet")
        .done();
}

#[test]
fn progress_is_for_terminals() {
    let good = Stub::ntropii(&["acme"]);
    let sandbox = Sandbox::new();
    let config: String = (0..3)
        .map(|number| plain(&format!("c{number}"), &good.host(), "ntro_prod_good"))
        .collect();
    sandbox.write_config(&config);
    Terminal::ntro(&sandbox, "auth status --all")
        .end()
        .exits(0)
        .shows("checking [")
        .shows("valid")
        .done();
    Terminal::ntro(&sandbox, "auth status --all -q")
        .end()
        .exits(0)
        .hides("checking")
        .done();
    let outcome = sandbox.ntro("auth status --all").run().success();
    assert_eq!(outcome.stderr, "");
}

/// Returns a server whose answer a test changes.
fn switched() -> (Arc<AtomicBool>, Stub) {
    let well = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&well);
    let server = Stub::start(move |_| match state.load(Ordering::SeqCst) {
        true => Reply::Json(
            200,
            json!({"id": "u1", "email": "a@b.test", "name": "A", "orgId": "o", "roles": []}),
        ),
        false => Reply::unauthorized(),
    });
    (well, server)
}

#[test]
fn watch_restores_terminal() {
    let (well, server) = switched();
    let sandbox = Sandbox::new();
    let names = ["one", "two"];
    sandbox.write_config(
        &names
            .map(|name| plain(name, &server.host(), "ntro_prod_good"))
            .concat(),
    );
    let mut terminal = Terminal::ntro(&sandbox, "auth status --all --watch 20ms");
    terminal
        .expect("valid")
        .expect("2 of 2 ok")
        .expect("\x1b[4A");
    well.store(false, Ordering::SeqCst);
    terminal.expect("rejected").expect("0 of 2 ok");
    well.store(true, Ordering::SeqCst);
    terminal.expect("2 of 2 ok").interrupt();
    terminal.end().exits(130).hides("error").done();
}

#[test]
fn watch_shows_round_under_way() {
    let stub = Stub::start(|_| Reply::Silence);
    let sandbox = Sandbox::new();
    sandbox.write_config(&plain("one", &stub.host(), "ntro_prod_good"));
    let line = "auth status --all --timeout 500ms --watch 20ms";
    let mut terminal = Terminal::ntro(&sandbox, line);
    for _ in 0..2 {
        terminal.expect("checking 0/1").expect("unreachable");
    }
    terminal.interrupt();
    terminal.end().exits(130).done();
}

/// `ntro auth status --watch` with its standard output in a pipe.
struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(sandbox: &Sandbox, arguments: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
        sandbox.prepare(&mut command);
        let mut child = command
            .args("auth status --all --watch 20ms".split(' '))
            .args(arguments.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// The line without its time.
    fn change(&mut self) -> String {
        self.line().split_once(' ').unwrap().1.to_owned()
    }

    fn interrupt(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        // Reads the lines written before the interrupt.
        self.lines.by_ref().for_each(drop);
        self.child.wait().unwrap().code()
    }
}

#[test]
fn watch_reports_changes_to_pipe() {
    let (well, server) = switched();
    let sandbox = Sandbox::new();
    sandbox.write_config(&plain("one", &server.host(), "ntro_prod_good"));
    let mut watch = Watch::start(&sandbox, "");
    assert_eq!(watch.change(), "one: valid");
    well.store(false, Ordering::SeqCst);
    let change = watch.change();
    assert!(change.starts_with("one: valid → rejected ("), "{change}");
    // Each round rereads the configuration.
    sandbox.write_config(
        &(plain("one", &server.host(), "ntro_prod_good") + "[connections.two]\nstore = 'file'\n"),
    );
    assert!(watch.change().starts_with("two: failed ("));
    sandbox.write_config(&plain("one", &server.host(), "ntro_prod_good"));
    assert_eq!(watch.change(), "two: removed");
    well.store(true, Ordering::SeqCst);
    assert_eq!(watch.change(), "one: rejected → valid");
    assert_eq!(watch.interrupt(), Some(130));
}

#[test]
fn watch_prints_json_lines() {
    let (well, server) = switched();
    let sandbox = Sandbox::new();
    sandbox.write_config(&plain("one", &server.host(), "ntro_prod_good"));
    let mut watch = Watch::start(&sandbox, "-o json");
    let mut round = || -> Value { serde_json::from_str(&watch.line()).unwrap() };
    for _ in 0..2 {
        let round = round();
        assert_eq!(
            (&round["ok"], &round["connections"][0]["state"]),
            (&json!(true), &json!("valid"))
        );
        assert!(round["checked_at"].is_string());
    }
    well.store(false, Ordering::SeqCst);
    while round()["ok"] == true {}
    assert_eq!(watch.interrupt(), Some(130));

    let Watch { mut child, lines } = Watch::start(&sandbox, "-o json");
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn hanging_keyring_is_awaited_once() {
    let service = SecretService::start(Mode::Unlocked);
    let good = Stub::ntropii(&["acme"]);
    let mut sandbox = Sandbox::new();
    sandbox.plug_in(&service);
    for number in 0..30 {
        sandbox.log_in(
            &format!("--no-verify --store keyring --name k{number:02}"),
            &good.host(),
            "ntro_prod_good",
        );
    }
    sandbox.log_in(
        "--no-verify --store plaintext --name plain",
        &good.host(),
        "ntro_prod_good",
    );
    agreeing(&sandbox, "auth status --all", 0);
    service.hang();
    sandbox.set("NTRO_KEYRING_TIMEOUT", "1");
    let start = Instant::now();
    let status = sandbox.ntro("auth status --all -o json").run().exits(8);
    let taken = start.elapsed();
    service.resume();
    let rows = rows(&status);
    assert!(
        rows[..30]
            .iter()
            .all(|row| row["state"] == "store_unavailable")
    );
    assert_eq!(rows[30]["state"], "valid");
    // The timeout applies once and not to each connection, which would take half a minute.
    assert!(taken < Duration::from_secs(10), "{taken:?}");
}

#[test]
fn taken_name_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    for name in ["one", "two"] {
        let options = format!("--no-verify --store file --name {name}");
        let key = format!("ntro_prod_good_{name}");
        sandbox.log_in(&options, "http://localhost:1/v1", &key);
    }
    let before = sandbox.contents();
    assert_snapshot!(sandbox.ntro("auth rename one two").transcript(), @r"
        exit code: 9
        ----- stderr -----
        error: there is already a connection `two`
          hint: choose another name, or remove that connection and its key first: `ntro auth remove two`
        ");
    assert_snapshot!(sandbox.ntro("auth rename three four").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `three`
          hint: the connections are: one, two
        ");
    assert_snapshot!(sandbox.ntro("auth remove three").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `three`
          hint: the connections are: one, two
        ");
    assert_eq!(sandbox.contents(), before);
    // A renamed default connection stays the default; a removed one leaves no default.
    assert_snapshot!(sandbox.ntro("auth rename one first").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `one` is now called `first`
        ");
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says("good_one")
        .done();
    assert_snapshot!(sandbox.ntro("auth remove first").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ removed the connection `first`, and its key from the file store
        ----- stderr -----
        note: the key ntro_p… stays valid at http://localhost:1 until it is revoked there
        ");
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: no connection is chosen, and there is no default one
          hint: name one with `-c`, or make one the default with `ntro auth use`; the connections are: two
        ");
    sandbox
        .ntro("auth token -c two")
        .run()
        .success()
        .says("good_two")
        .done();
}

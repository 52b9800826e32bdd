//! How `ntro serve` is watched and run: metrics, logs, service managers.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Elliptic, ServerFolder, Serving, always, project, wire};

const LOCAL: &str = "accept: */*";

/// Reads a page in Prometheus' text format as strictly as `promtool check metrics` does: every family
/// has one help and one type before its samples, which are together, and names have the suffix of
/// their type. Returns the samples.
fn samples(page: &str) -> HashMap<String, f64> {
    let mut samples = HashMap::new();
    let mut done = HashSet::new();
    let mut family = (String::new(), String::new());
    let mut lines = page.lines();
    assert!(page.ends_with('\n'));
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && done.insert(name.to_owned()), "{line}");
            let kind = lines.next().unwrap();
            let kind = kind.strip_prefix(&format!("# TYPE {name} ")).unwrap();
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            family = (name.to_owned(), kind.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        assert!(name.bytes().all(is_plain), "{line}");
        let suffix = name.strip_prefix(&family.0).unwrap();
        match &*family.1 {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            _ => assert_eq!(suffix, "", "{line}"),
        }
        let repeated = samples.insert(series.to_owned(), value.parse().unwrap());
        assert_eq!(repeated, None, "{line}");
    }
    samples
}

fn metrics(address: std::net::SocketAddr) -> HashMap<String, f64> {
    let (status, page) = wire::ask(address, "GET", "/metrics", LOCAL, "").unwrap();
    assert_eq!(status, 200, "{page}");
    samples(&page)
}

#[test]
fn metrics_count_what_happens() {
    let folder = ServerFolder::new();
    let (id, key) = folder.key("ntropii");
    let server = folder.serve();
    for _ in 0..3 {
        assert_eq!(server.verify(&key), 200);
    }
    assert_eq!(server.verify("ntro_prod_unknown"), 401);
    for path in ["/x/one", "/x/two", "/v1/api-keys/one"] {
        wire::ask(server.address, "GET", path, LOCAL, "").unwrap();
    }
    let page = wire::ask(server.address, "GET", "/metrics", LOCAL, "")
        .unwrap()
        .1;
    // No name and no id of a tenant or a key.
    for secret in [&*key, &id, "acme", "ntro_prod", "two"] {
        assert!(!page.contains(secret), "{secret}: {page}");
    }
    let samples = samples(&page);
    for (series, value) in [
        (
            "ntro_requests_total{endpoint=\"/v1/me\",status=\"200\"}",
            3.0,
        ),
        (
            "ntro_requests_total{endpoint=\"/v1/me\",status=\"401\"}",
            1.0,
        ),
        (
            "ntro_requests_total{endpoint=\"other\",status=\"404\"}",
            2.0,
        ),
        ("ntro_verifications_total{outcome=\"accepted\"}", 3.0),
        ("ntro_verifications_total{outcome=\"unknown\"}", 1.0),
        ("ntro_verifications_total{outcome=\"limited\"}", 0.0),
        ("ntro_keys", 1.0),
        ("ntro_ready", 1.0),
        ("ntro_registry_healthy", 1.0),
        ("ntro_log_lines_dropped_total", 0.0),
        ("ntro_key_set_fetches_total{outcome=\"failed\"}", 0.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}: {page}");
    }
    assert!(samples["ntro_connections"] >= 1.0, "{page}");
    assert!(samples["ntro_registry_epoch"] >= 1.0, "{page}");
    // The revocation is written by another process, and applied here.
    folder.admin_ok(&format!("key revoke {id}"));
    assert_eq!(metrics(server.address)["ntro_keys"], 0.0);
}

#[test]
#[ignore = "needs promtool: run scripts/test"]
fn metrics_pass_promtool() {
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    let server = folder.serve();
    assert_eq!(server.verify(&key), 200);
    let page = wire::ask(server.address, "GET", "/metrics", LOCAL, "");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(page.unwrap().1.as_bytes()).unwrap();
    drop(input);
    let checked = promtool.wait_with_output().unwrap();
    let problems = [checked.stdout, checked.stderr].concat();
    assert!(
        checked.status.success() && problems.is_empty(),
        "{}",
        String::from_utf8_lossy(&problems)
    );
}

#[test]
fn metrics_are_for_this_machine() {
    let folder = ServerFolder::new();
    let server = folder.serve();
    let ask = |address, header: &str| wire::ask(address, "GET", "/metrics", header, "").unwrap().0;
    assert_eq!(ask(server.address, LOCAL), 200);
    // A proxy on this machine forwards the requests of others.
    for header in [
        "x-forwarded-for: 192.0.2.1",
        "forwarded: for=192.0.2.1",
        "x-real-ip: a",
        "via: 1.1 a",
    ] {
        assert_eq!(ask(server.address, header), 404, "{header}");
    }
    drop(server);
    let mut command = folder.command();
    command.args(["serve", "--metrics-listen", "127.0.0.1:0"]);
    let server = Serving::start(command);
    let (_, own) = server.metrics.as_ref().unwrap().split_once("://").unwrap();
    let own = own.strip_suffix("/metrics").unwrap().parse().unwrap();
    assert_eq!(ask(server.address, LOCAL), 404);
    assert_eq!(ask(own, "via: 1.1 a"), 200);
    let other = wire::ask(own, "GET", "/v1/me", LOCAL, "").unwrap();
    assert_eq!(other.0, 404);
}

#[test]
fn access_log_has_a_line_per_response() {
    let folder = ServerFolder::new();
    let (id, key) = folder.key("ntropii");
    let token = folder.admin_ok("token --expires-in 1h")["token"].clone();
    let token = token.as_str().unwrap();
    let path = folder.folder().join("access.log");
    let server = folder.serve_with(&["--access-log", path.to_str().unwrap()]);
    let ask =
        |path: &str, header: &str| wire::ask(server.address, "GET", path, header, "").unwrap();
    let bearer = format!("authorization: Bearer {key}\r\nx-request-id: first");
    let body = ask("/v1/me?secret=hunter2", &bearer).1;
    ask(&format!("/v1/{key}"), LOCAL);
    ask("/v1/workspaces", &format!("authorization: Bearer {token}"));
    ask("/v1/me", "host: b");
    assert!(server.end().success());
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for secret in [&*key, "hunter2", token] {
        assert!(!log.contains(secret), "{log}");
    }
    let shown: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["path"].as_str().unwrap(),
                line["status"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("/v1/me", 200),
        ("/v1/…", 404),
        ("/v1/workspaces", 200),
        ("/v1/me", 400),
    ];
    assert_eq!(shown, expected, "{log}");
    assert_eq!(lines[0]["request_id"], "first");
    assert_eq!(lines[0]["actor"], format!("key {id}"));
    assert_eq!(lines[0]["bytes"], body.len());
    assert_eq!(lines[0]["source"], "127.0.0.1");
    assert_eq!(lines[0]["method"], "GET");
    assert_eq!(lines[1]["actor"], Value::Null);
    let actor = lines[2]["actor"].as_str().unwrap();
    assert!(actor.contains(" of "), "{actor}");
    for line in &lines {
        let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
        assert!(time <= jiff::Timestamp::now());
        assert!(line["microseconds"].as_u64().unwrap() < 60_000_000);
    }
}

#[test]
#[ignore = "needs curl: run scripts/test"]
fn access_log_names_the_client_behind_a_proxy() {
    let folder = ServerFolder::new();
    let path = folder.folder().join("access.log");
    let socket = folder.folder().join("ntro.sock");
    let settings = folder.folder().join("serve.toml");
    let lines = format!(
        "listen = [\"unix:{}\", \"127.0.0.1:0\"]\naccess-log = \"{}\"\n\
         trusted-proxy = [\"unix\", \"127.0.0.0/8\"]\n",
        socket.display(),
        path.display()
    );
    std::fs::write(&settings, lines).unwrap();
    let start = |arguments: &[&str]| {
        let mut command = folder.command();
        command.args(["serve", "--config", settings.to_str().unwrap()]);
        command.args(arguments);
        Serving::start_as_is(command)
    };
    let header = "x-forwarded-for: 198.51.100.1, 192.0.2.7";
    let ask = |server: &Serving| {
        for path in ["/v1/me", "/v1/workspaces"] {
            wire::ask(server.address, "GET", path, header, "").unwrap();
        }
        let curl = Command::new("curl")
            .args(["--silent", "--max-time", "60", "--header", header])
            .args(["--unix-socket", socket.to_str().unwrap()])
            .arg("http://localhost/v1/me")
            .output()
            .unwrap();
        assert!(curl.status.success(), "{curl:?}");
    };
    let server = start(&[]);
    ask(&server);
    assert!(server.end().success());
    // An option replaces the list of the file.
    let server = start(&["--trusted-proxy", "10.0.0.0/8"]);
    ask(&server);
    assert!(server.end().success());
    let log = std::fs::read_to_string(&path).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let sources: Vec<_> = lines.map(|line: Value| line["source"].clone()).collect();
    let [own, client] = ["127.0.0.1", "192.0.2.7"].map(Value::from);
    let forwarded = [client.clone(), client.clone(), client];
    assert_eq!(sources[..3], forwarded, "{log}");
    assert_eq!(sources[3..], [own.clone(), own, Value::Null], "{log}");
}

#[test]
fn full_log_delays_no_request() {
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    // No process reads this pipe, which holds less than the requests below write.
    let mut command = folder.command();
    command
        .args(["serve", "--access-log", "-"])
        .stderr(Stdio::piped());
    let server = Serving::start(command);
    for _ in 0..400 {
        assert_eq!(server.verify(&key), 200);
    }
    server.kill();
    // On a full device every line is dropped, and counted.
    if cfg!(target_os = "linux") {
        let server = folder.serve_with(&["--access-log", "/dev/full"]);
        let dropped = || metrics(server.address)["ntro_log_lines_dropped_total"];
        while dropped() < 5.0 {
            assert_eq!(server.verify(&key), 200);
        }
    }
}

#[test]
fn json_log_is_an_object_per_line() {
    let folder = ServerFolder::new();
    let log = folder.folder().join("server.log");
    let access = folder.folder().join("access.log");
    let mut command = folder.command();
    command
        .args(["serve", "--log-format", "json", "--access-log"])
        .arg(&access)
        .stderr(
            File::options()
                .create(true)
                .append(true)
                .open(&log)
                .unwrap(),
        );
    let server = Serving::start(command);
    // A folder in its place: the log cannot be opened again.
    std::fs::remove_file(&access).unwrap();
    std::fs::create_dir(&access).unwrap();
    server.signal(Signal::HUP);
    let lines = || std::fs::read_to_string(&log).unwrap();
    while !lines().ends_with('\n') {
        std::thread::yield_now();
    }
    assert!(server.end().success());
    let line: Value = serde_json::from_str(lines().lines().next().unwrap()).unwrap();
    assert_eq!(line["level"], "ERROR", "{line}");
    assert!(line["timestamp"].is_string(), "{line}");
    let message = &line["fields"]["message"];
    assert_eq!(message, "the log file could not be opened again");
}

/// The socket of a service manager, bound by this test.
struct Manager {
    socket: UnixDatagram,
    path: String,
}

impl Manager {
    fn new(folder: &ServerFolder) -> Self {
        let path = folder.folder().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let path = path.to_str().unwrap().to_owned();
        Self { socket, path }
    }

    /// Returns the next message but those of the watchdog.
    fn next(&self) -> String {
        loop {
            let message = self.any();
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }

    fn any(&self) -> String {
        let mut bytes = [0; 1_000];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

#[test]
fn service_manager_is_notified() {
    let folder = ServerFolder::new();
    let manager = Manager::new(&folder);
    let server = folder.serve_in(&[("NOTIFY_SOCKET", &manager.path)], &[]);
    assert_eq!(manager.any(), "READY=1\n");
    // SIGHUP does not end it, though there is nothing to reload.
    server.signal(Signal::HUP);
    let reloading = manager.any();
    let (state, time) = reloading.split_once('\n').unwrap();
    assert_eq!(state, "RELOADING=1");
    let time = time.trim_end().strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(time.parse::<u64>().unwrap() > 0);
    assert_eq!(manager.any(), "READY=1\n");
    server.signal(Signal::TERM);
    assert_eq!(manager.any(), "STOPPING=1\n");
    assert!(server.wait().success());
}

#[test]
fn watchdog_is_fed() {
    let folder = ServerFolder::new();
    let manager = Manager::new(&folder);
    let variables = [
        ("NOTIFY_SOCKET", &*manager.path),
        ("WATCHDOG_USEC", "100000"),
    ];
    let server = folder.serve_in(&variables, &[]);
    assert_eq!(manager.next(), "READY=1\n");
    for _ in 0..3 {
        assert_eq!(manager.any(), "WATCHDOG=1\n");
    }
    server.signal(Signal::TERM);
    assert_eq!(manager.next(), "STOPPING=1\n");
}

#[test]
#[ignore = "needs systemd-analyze: run scripts/test"]
fn unit_file_is_valid() {
    let folder = ServerFolder::new();
    let unit = std::fs::read_to_string(project("packaging/systemd/ntro.service")).unwrap();
    let program = env!("CARGO_BIN_EXE_ntro");
    let unit = unit.replace("/usr/local/bin/ntro", program);
    let path = folder.folder().join("ntro.service");
    std::fs::write(&path, unit).unwrap();
    for arguments in [
        &["verify"][..],
        &["security", "--offline=true", "--threshold=20"],
    ] {
        let output = Command::new("systemd-analyze")
            .args(arguments)
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn packaged_settings_are_valid() {
    let folder = ServerFolder::new();
    let text = std::fs::read_to_string(project("packaging/systemd/serve.toml")).unwrap();
    // The settings that are comments are valid too.
    let uncommented = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    let text = uncommented.collect::<Vec<_>>().join("\n");
    let path = folder.folder().join("serve.toml");
    std::fs::write(&path, text).unwrap();
    let database = folder.folder().join("authority.db");
    let checked = folder
        .command()
        .args(["serve", "--check", "-o", "json", "--config"])
        .arg(&path)
        .arg("--database")
        .arg(&database)
        .output()
        .unwrap();
    let findings: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let problems: Vec<_> = findings["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["level"] == "problem")
        .map(|finding| finding["check"].as_str().unwrap())
        .collect();
    assert_eq!(problems, ["certificate"], "{findings}");
}

#[test]
fn settings_file_yields_to_flags_and_variables() {
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ontora");
    let path = folder.folder().join("serve.toml");
    let wrong = folder.folder().join("wrong.db");
    let text = format!(
        "database = \"sqlite:{}\"\nlisten = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nregion = \"eu\"\n",
        wrong.display()
    );
    std::fs::write(&path, text).unwrap();
    let database = folder.folder().join("authority.db");
    let region = |server: &Serving| {
        let header = format!("x-api-key: {key}");
        let body = wire::ask(server.address, "GET", "/v1/api-keys/current", &header, "");
        let body: Value = serde_json::from_str(&body.unwrap().1).unwrap();
        body["region"].as_str().map(str::to_owned)
    };
    let serve = |arguments: &[&str]| {
        let mut command = folder.command();
        command
            .env("NTRO_DATABASE", &database)
            .args(["serve", "--config", path.to_str().unwrap()])
            .args(arguments);
        Serving::start_as_is(command)
    };
    let server = serve(&[]);
    assert_eq!(server.listeners, 2);
    assert_eq!(region(&server).as_deref(), Some("eu"));
    drop(server);
    let server = serve(&["--region", "ap", "--listen", "127.0.0.1:0"]);
    assert_eq!(server.listeners, 1);
    assert_eq!(region(&server).as_deref(), Some("ap"));
    assert!(!wrong.exists());
    // An unknown name is refused with its line.
    std::fs::write(&path, "region = \"eu\"\nlisten-on = \"x\"\n").unwrap();
    let refused = folder
        .command()
        .args(["serve", "--config"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        error.contains("line 2: unknown setting `listen-on`"),
        "{error}"
    );
}

/// Returns the exit code and the findings of `serve --check`: their check, level and message.
fn check(folder: &ServerFolder, arguments: &[&str]) -> (i32, Vec<[String; 3]>) {
    let checked = folder
        .command()
        .args(["serve", "--check", "-o", "json"])
        .args(arguments)
        .output()
        .unwrap();
    let findings: Value = serde_json::from_slice(&checked.stdout)
        .unwrap_or_else(|error| panic!("{error}: {checked:?}"));
    let findings = findings["findings"].as_array().unwrap().iter();
    let texts = findings.map(|finding| {
        ["check", "level", "message"].map(|name| finding[name].as_str().unwrap().to_owned())
    });
    (checked.status.code().unwrap(), texts.collect())
}

#[test]
fn check_writes_nothing() {
    let folder = ServerFolder::new();
    let found = |findings: &[[String; 3]], check: &str, level: &str, text: &str| {
        let found = findings
            .iter()
            .any(|[name, of, message]| name == check && of == level && message.contains(text));
        assert!(found, "{check} {level} {text}: {findings:?}");
    };
    let files = || {
        let entries = std::fs::read_dir(folder.folder()).unwrap();
        let files = entries.map(|entry| {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            (entry.path(), metadata.len(), metadata.modified().unwrap())
        });
        files.collect::<HashSet<_>>()
    };
    let before = files();
    let (code, findings) = check(&folder, &[]);
    assert_eq!(code, 0, "{findings:?}");
    found(
        &findings,
        "database",
        "ok",
        "it is current, and has its key material",
    );
    let names_clock = |finding: &[String; 3]| finding[2].contains("clock source");
    assert_eq!(findings.iter().any(names_clock), cfg!(target_os = "linux"));
    let other = folder.folder().join("other.db");
    let (code, findings) = check(&folder, &["--database", other.to_str().unwrap()]);
    assert_eq!(code, 0, "{findings:?}");
    found(&findings, "database", "warning", "there is none");
    assert_eq!(files(), before);

    // Beside a server, too.
    let server = folder.serve();
    assert_eq!(check(&folder, &[]).0, 0);
    drop(server);

    // Each problem on its own.
    let empty = tempfile::tempdir().unwrap();
    let (code, findings) = check(&folder, &["--key-material", empty.path().to_str().unwrap()]);
    assert_eq!(code, 1);
    found(&findings, "database", "problem", "pepper");
    let text = empty.path().join("text.db");
    std::fs::write(&text, "no database at all, but a text of some length").unwrap();
    let (code, findings) = check(&folder, &["--database", text.to_str().unwrap()]);
    assert_eq!(code, 1);
    found(
        &findings,
        "database",
        "problem",
        "is not a database of an authority",
    );
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let (code, findings) = check(&folder, &["--issuer", &url]);
    assert_eq!(code, 1);
    found(&findings, "issuer", "problem", &url);
    let keys = always(Elliptic::new().jwks().to_string());
    let jwks = format!("http://{keys}/jwks.json");
    let (code, findings) = check(&folder, &["--issuer", "https://id.test", "--jwks", &jwks]);
    assert_eq!(code, 0, "{findings:?}");
    found(&findings, "issuer", "ok", "`https://id.test` has 1 keys");
}

#[test]
#[ignore = "needs openssl and faketime: run scripts/test"]
fn check_finds_expired_certificate() {
    let folder = ServerFolder::new();
    let files = ["chain.pem", "key.pem"].map(|name| folder.folder().join(name));
    for (days, code, level) in [("+0", 0, "ok"), ("-9", 1, "problem")] {
        let made = Command::new("faketime")
            .args(["-f", &format!("{days}d"), "openssl"])
            .args(["req", "-x509", "-nodes", "-newkey", "ec", "-days", "2"])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", "/CN=localhost"])
            .args([Path::new("-out"), &files[0]])
            .args([Path::new("-keyout"), &files[1]])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let [chain, key] = files.each_ref().map(|file| file.to_str().unwrap());
        let (exit, findings) = check(&folder, &["--tls-cert", chain, "--tls-key", key]);
        assert_eq!(exit, code, "{findings:?}");
        let found = findings.iter().find(|finding| finding[0] == "certificate");
        assert_eq!(found.unwrap()[1], level, "{findings:?}");
    }
}

#[test]
fn readiness_names_every_part() {
    let folder = ServerFolder::new();
    let header = folder.admin_ok("token --expires-in 1h")["token"].clone();
    let header = format!("authorization: Bearer {}", header.as_str().unwrap());
    let tenants = folder.admin_ok("tenant list");
    let server = folder.serve_on_a_small_disk(1_200);
    let ready = || {
        let (status, body) = wire::ask(server.address, "GET", "/readyz", LOCAL, "").unwrap();
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let (status, body) = ready();
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["status"], "ready");
    assert_eq!(
        body["parts"],
        serde_json::json!({"listener": "ok", "registry": "ok", "keys": "ok"})
    );
    let body = serde_json::json!({"name": "CI", "workspace_id": tenants[0]["id"], "scopes": ["*"]});
    let body = body.to_string();
    while wire::ask(server.address, "POST", "/v1/api-keys", &header, &body)
        .unwrap()
        .0
        == 201
    {}
    let (status, body) = ready();
    assert_eq!(status, 503, "{body}");
    assert_eq!(body["status"], "unavailable");
    assert_eq!(body["parts"]["listener"], "ok");
    let reason = body["parts"]["registry"].as_str().unwrap();
    assert!(reason.contains("cannot be written"), "{body}");
    // An error for clients of both providers.
    assert_eq!(body["code"], "unavailable");
    assert_eq!(body["statusCode"], 503);
}

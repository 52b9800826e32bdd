//! How `ntro serve` is watched and run: metrics, logs, service managers.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{ServerFolder, Serving, wire};

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
fn full_log_delays_no_request() {
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    // Nobody reads this pipe, which holds less than the requests below write.
    let mut command = folder.command();
    command
        .args(["serve", "--access-log", "-"])
        .stderr(Stdio::piped());
    let server = Serving::start(command);
    for _ in 0..700 {
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

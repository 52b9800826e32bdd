//! `serve` and `admin` on PostgreSQL: the URL, the password, the first tables, the checks.

use std::io::Write as _;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Cluster, ServerFolder, Serving, wire};

/// Runs `ntro` on a database, with these variables.
fn run(folder: &tempfile::TempDir, variables: &[(&str, &str)], line: &str) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_ntro"))
        .env_clear()
        .env("NTRO_HOME", folder.path())
        .env("NTRO_KEY_MATERIAL", folder.path().join("keys"))
        .envs(variables.iter().copied())
        .args(line.split(' '))
        .output()
        .unwrap()
}

/// Returns the whole answer to a request.
fn ask(server: &Serving, line: &str, header: &str) -> String {
    let mut stream = wire::connect(server.address);
    let request = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{header}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    wire::rest(&mut stream)
}

fn error(output: &Output) -> (i32, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn password_is_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let list = "admin organisation list --database";
    for (url, expected) in [
        (
            "postgres://ntro:hunter2@db/ntro",
            "`--database` has a password",
        ),
        (
            "postgres://ntro:hunter2@db:port/ntro",
            "the URL of PostgreSQL is invalid",
        ),
        (
            "postgres://ntro:hunter2@db",
            "the URL of PostgreSQL names no database",
        ),
        (
            "postgres://ntro:hunter2@db/x?sslmode=require",
            "`sslmode` must be",
        ),
        ("postgre://ntro:hunter2@db/ntro", "unknown database"),
    ] {
        for arguments in [format!("{list} {url}"), format!("serve --database={url}")] {
            let (code, message) = error(&run(&folder, &[], &arguments));
            assert_eq!(code, 2, "{message}");
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
    for url in ["postgres://ntro:hunter2@db", "postgre://ntro:hunter2@db/x"] {
        let (code, message) = error(&run(&folder, &[("NTRO_DATABASE", url)], "admin token"));
        assert_eq!(code, 2, "{message}");
        assert!(
            message.contains("the variable `NTRO_DATABASE`"),
            "{message}"
        );
        assert!(!message.contains("hunter2"), "{message}");
    }
    // The connection fails.
    let url = "postgres://ntro:hunter2@localhost:1/ntro";
    let (code, message) = error(&run(&folder, &[("NTRO_DATABASE", url)], "admin token"));
    assert_eq!(code, 1, "{message}");
    assert!(message.contains("see whether PostgreSQL runs"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn init_makes_the_registry() {
    let folder = tempfile::tempdir().unwrap();
    let url = Cluster::shared().database();
    let database = [("NTRO_DATABASE", url.as_str())];
    for line in [
        "admin organisation create Acme",
        "serve --listen 127.0.0.1:0",
    ] {
        let (code, message) = error(&run(&folder, &database, line));
        assert_eq!(code, 3, "{message}");
        assert!(message.contains("holds no registry yet"), "{message}");
        assert!(message.contains("`ntro admin init`"), "{message}");
    }
    for _ in 0..2 {
        let made = run(&folder, &database, "admin init -o json");
        assert!(made.status.success(), "{made:?}");
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let keys = folder.path().join("keys");
        assert_eq!(made["key_material"], keys.to_str().unwrap());
    }
    let made = run(&folder, &database, "admin organisation create Acme");
    assert!(made.status.success(), "{made:?}");
    // Another machine without the key material.
    let other = tempfile::tempdir().unwrap();
    let (code, message) = error(&run(&other, &database, "admin init"));
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("pepper"), "{message}");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn password_comes_from_a_file_or_variable() {
    // Its settings are those of the whole server.
    let cluster = Cluster::start();
    let url = cluster.database();
    cluster.sql("postgres", "ALTER ROLE ntro PASSWORD 'hunter 2'");
    let rules = cluster.folder().join("data/pg_hba.conf");
    let before = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("local all ntro scram-sha-256\n{before}")).unwrap();
    cluster.sql("postgres", "SELECT pg_reload_conf()");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let init = format!("admin init --database {url}");
    let (code, message) = error(&run(&folder, &[], &init));
    assert_eq!(code, 1, "{message}");
    let (code, message) = error(&run(&folder, &[("PGPASSWORD", "hunter")], &init));
    assert_eq!(code, 1, "{message}");
    assert!(!message.contains("hunter"), "{message}");
    let made = run(&folder, &[("PGPASSWORD", "hunter 2")], &init);
    assert!(made.status.success(), "{made:?}");
    let with_file = format!("{init} --database-password-file {}", file.display());
    let (code, message) = error(&run(&folder, &[], &with_file));
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("does not exist"), "{message}");
    std::fs::write(&file, "hunter 2\n").unwrap();
    // The option wins.
    let made = run(&folder, &[("PGPASSWORD", "hunter")], &with_file);
    assert!(made.status.success(), "{made:?}");
    let settings = folder.path().join("serve.toml");
    let text = format!(
        "database = \"{url}\"\ndatabase-password-file = \"{}\"\n",
        file.display()
    );
    std::fs::write(&settings, text).unwrap();
    let check = format!("serve --check --config {}", settings.display());
    let checked = run(&folder, &[], &check);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn check_names_the_standbys() {
    let folder = ServerFolder::on_postgres(&Cluster::shared().database());
    let check = folder
        .command()
        .args(["serve", "--check"])
        .output()
        .unwrap();
    let text = String::from_utf8(check.stdout).unwrap();
    for expected in ["notifications", "they arrive", "there is none: no failover"] {
        assert!(text.contains(expected), "{text}");
    }
    let empty = ServerFolder::on_postgres(&Cluster::shared().database());
    let other = Cluster::shared().database();
    let check = empty
        .command()
        .args(["serve", "--check", "--database", &other])
        .output();
    let check = check.unwrap();
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    assert!(
        String::from_utf8(check.stdout)
            .unwrap()
            .contains("it holds no registry")
    );
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn answers_name_the_lease() {
    let folder = ServerFolder::on_postgres(&Cluster::shared().database());
    let server = folder.serve();
    let (status, body) = wire::ask(server.address, "GET", "/readyz", "a: b", "").unwrap();
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["parts"]["lease"], "ok");
    let replication = &body["replication"];
    assert!(
        replication["lease_milliseconds"].as_u64().unwrap() > 0,
        "{body}"
    );
    assert_eq!(replication["notifications"], true);
    assert_eq!(replication["standbys"], "none");
    assert_eq!(
        replication["clock_source"].is_string(),
        cfg!(target_os = "linux")
    );
    let (_, key) = folder.key("ontora");
    let answer = ask(&server, "GET /v1/authorize", &format!("x-api-key: {key}"));
    let valid_for = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-ntro-valid-for: "));
    let valid_for: u64 = valid_for.unwrap().parse().unwrap();
    assert!((1..1_800).contains(&valid_for), "{answer}");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn revocation_has_a_receipt() {
    let url = Cluster::shared().database();
    let folder = ServerFolder::on_postgres(&url);
    let token = folder.admin_ok("token --expires-in 1h");
    let admin = format!("authorization: Bearer {}", token["token"].as_str().unwrap());
    let servers = [folder.serve(), folder.serve()];
    let revoke = |id: &str| {
        let answer = ask(&servers[0], &format!("DELETE /v1/api-keys/{id}"), &admin);
        assert_eq!(wire::status(&answer), Some(204), "{answer}");
        let mut lines = answer.lines();
        let receipt = lines.find_map(|line| line.strip_prefix("x-ntro-receipt: "));
        serde_json::from_str::<Value>(receipt.unwrap()).unwrap()
    };
    let members = |receipt: &Value| {
        ["confirmed", "fenced"].map(|name| receipt[name].as_array().unwrap().len())
    };
    let [(first, _), (second, _)] = [folder.key("ontora"), folder.key("ontora")];
    let path = |id: &str| format!("GET /v1/revocations/{id}");
    let receipt = |id: &str, header: &str| ask(&servers[1], &path(id), header);
    let unknown = receipt(&first, &admin);
    assert_eq!(wire::status(&unknown), Some(404), "{unknown}");
    let confirmed = revoke(&first);
    // A busy machine may lose a lease.
    assert_eq!(members(&confirmed).iter().sum::<usize>(), 2, "{confirmed}");
    servers[1].signal(Signal::STOP);
    let fenced = revoke(&second);
    servers[1].signal(Signal::CONT);
    assert_eq!(members(&fenced)[1], 1, "{fenced}");
    assert!(fenced["epoch"].as_i64() > confirmed["epoch"].as_i64());
    // The other server has them a little later.
    for (id, expected) in [(&first, &confirmed), (&second, &fenced)] {
        let start = Instant::now();
        let body = loop {
            let answer = receipt(id, &admin);
            if wire::status(&answer) == Some(200) {
                break answer.split_once("\r\n\r\n").unwrap().1.to_owned();
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{answer}");
            thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(&serde_json::from_str::<Value>(&body).unwrap(), expected);
    }
    for header in ["a: b", "authorization: Bearer a.b.c"] {
        assert_eq!(wire::status(&receipt(&first, header)), Some(401));
    }
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn unconfirmed_revocation_answers_503() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let folder = ServerFolder::on_postgres(&url);
    let token = folder.admin_ok("token --expires-in 1h");
    let admin = format!("authorization: Bearer {}", token["token"].as_str().unwrap());
    let server = folder.serve();
    let (id, key) = folder.key("ontora");
    let revoke = || ask(&server, &format!("DELETE /v1/api-keys/{id}"), &admin);
    let name = url.split(['/', '?']).nth(3).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| cluster.sql(name, "BEGIN; LOCK TABLE lease; SELECT pg_sleep(8); COMMIT"));
        let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
                     AND relation = 'lease'::regclass AND granted";
        while cluster.sql(name, locks) != "1" {
            thread::sleep(Duration::from_millis(20));
        }
        let answer = revoke();
        assert_eq!(wire::status(&answer), Some(503), "{answer}");
        assert!(answer.contains("revocation_unconfirmed"), "{answer}");
        assert!(answer.contains("retry-after: 1"), "{answer}");
    });
    let answer = revoke();
    assert_eq!(wire::status(&answer), Some(204), "{answer}");
    assert_eq!(server.verify(&key), 401);
}

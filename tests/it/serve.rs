//! The promises of `ntro serve` as a process: answered changes survive a kill, unconfirmed ones are
//! not claimed, and shutdown is graceful.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Elliptic, ServerFolder, Serving, always, always_with, wire};

fn admin_header(folder: &ServerFolder) -> String {
    let made = folder.admin_ok("token --expires-in 1h");
    format!("authorization: Bearer {}", made["token"].as_str().unwrap())
}

fn tenant_id(folder: &ServerFolder) -> String {
    tenant_id_with(folder, "")
}

/// Returns the tenant's id, with further arguments of `ntro admin`.
fn tenant_id_with(folder: &ServerFolder, arguments: &str) -> String {
    let tenants = folder.admin_ok(&format!("tenant list{arguments}"));
    tenants[0]["id"].as_str().unwrap().to_owned()
}

/// Requests a key; `None` when there was no answer.
fn make_key(address: std::net::SocketAddr, tenant: &str, header: &str) -> Option<(u16, Value)> {
    let body = json!({"name": "CI", "workspace_id": tenant, "scopes": ["*"]}).to_string();
    let (status, body) = wire::ask(address, "POST", "/v1/api-keys", header, &body)?;
    Some((status, serde_json::from_str(&body).unwrap()))
}

/// A change that was answered before the kill.
enum Answered {
    Made {
        id: String,
        key: String,
    },
    Revoked {
        id: String,
    },
    /// A revocation without an answer: it may or may not have happened.
    Revoking {
        id: String,
    },
}

#[test]
fn key_material_may_be_elsewhere() {
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    let beside = folder.folder().join("authority.db.private");
    let elsewhere = folder.folder().join("secrets");
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&elsewhere)
        .unwrap();
    for name in ["pepper", "issuer.pk8", "audit.pk8"] {
        std::fs::rename(beside.join(name), elsewhere.join(name)).unwrap();
    }
    let elsewhere = elsewhere.to_str().unwrap();
    let server = folder.serve_in(&[("NTRO_KEY_MATERIAL", elsewhere)], &[]);
    assert_eq!(server.verify(&key), 200);
    let option = format!(" --key-material {elsewhere}");
    let token = folder.admin_ok(&format!("token{option}"));
    let header = format!("authorization: Bearer {}", token["token"].as_str().unwrap());
    let made = make_key(server.address, &tenant_id_with(&folder, &option), &header);
    assert_eq!(made.unwrap().0, 201);
    drop(server);
    let server = folder.serve_with(&["--key-material", elsewhere]);
    assert_eq!(server.verify(&key), 200);
    // The start adds the key that signs identities.
    assert!(Path::new(elsewhere).join("identity.pk8").exists());
    assert!(!beside.join("identity.pk8").exists());
}

#[test]
fn answered_changes_survive_kill() {
    const ROUNDS: usize = 20;
    const WORKERS: usize = 4;

    let folder = ServerFolder::new();
    let header = admin_header(&folder);
    let tenant = tenant_id(&folder);
    // For each key, whether it must be accepted; `None` where that is undetermined.
    let mut keys: HashMap<String, (String, Option<bool>)> = HashMap::new();
    for round in 0..ROUNDS {
        let server = folder.serve();
        for (key, good) in keys.values() {
            if let Some(good) = good {
                let expected = if *good { 200 } else { 401 };
                assert_eq!(server.verify(key), expected, "round {round}");
            }
        }
        let address = server.address;
        let (report, reports) = mpsc::channel();
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (report, header, tenant) = (report.clone(), header.clone(), tenant.clone());
                thread::spawn(move || {
                    while let Some((status, made)) = make_key(address, &tenant, &header) {
                        assert_eq!(status, 201, "{made}");
                        let text = |name: &str| made[name].as_str().unwrap().to_owned();
                        let (id, key) = (text("id"), text("key"));
                        let _ = report.send(Answered::Made {
                            id: id.clone(),
                            key,
                        });
                        if worker % 2 == 0 {
                            let _ = report.send(Answered::Revoking { id: id.clone() });
                            let path = format!("/v1/api-keys/{id}");
                            match wire::ask(address, "DELETE", &path, &header, "") {
                                Some((204, _)) => {
                                    let _ = report.send(Answered::Revoked { id });
                                }
                                Some(other) => panic!("{other:?}"),
                                None => return,
                            }
                        }
                    }
                })
            })
            .collect();
        drop(report);
        // Kills in the middle of the work, in a different folder each round.
        let mut server = Some(server);
        for (count, answered) in reports.iter().enumerate() {
            match answered {
                Answered::Made { id, key } => keys.insert(id, (key, Some(true))),
                Answered::Revoking { id } => keys
                    .remove(&id)
                    .and_then(|(key, _)| keys.insert(id, (key, None))),
                Answered::Revoked { id } => keys
                    .remove(&id)
                    .and_then(|(key, _)| keys.insert(id, (key, Some(false)))),
            };
            if count == 5 + round * 3
                && let Some(server) = server.take()
            {
                server.kill();
            }
        }
        for worker in workers {
            worker.join().unwrap();
        }
        assert!(server.is_none(), "nobody was killed");
    }
    let server = folder.serve();
    let mut counts = [0, 0];
    for (key, good) in keys.values() {
        if let Some(good) = good {
            counts[usize::from(*good)] += 1;
            assert_eq!(server.verify(key), if *good { 200 } else { 401 });
        }
    }
    assert!(counts.iter().all(|count| *count > ROUNDS), "{counts:?}");
}

#[test]
fn paused_server_confirms_nothing() {
    let folder = ServerFolder::new();
    let (id, key) = folder.key("ntropii");
    let server = folder.serve();
    assert_eq!(server.verify(&key), 200);
    server.signal(Signal::STOP);
    let (revoked, (_, made)) = thread::scope(|scope| {
        let made = scope.spawn(|| folder.key("ntropii"));
        let revoked = folder.admin(&format!("key revoke {id}"));
        (revoked, made.join().unwrap())
    });
    server.signal(Signal::CONT);
    assert_eq!(revoked.status.code(), Some(1), "{revoked:?}");
    let error = String::from_utf8(revoked.stderr).unwrap();
    assert!(error.contains("has not confirmed it"), "{error}");
    // Now that the server runs again, the same request waits for the confirmation and reports it.
    folder.admin_ok(&format!("key revoke {id}"));
    assert_eq!(server.verify(&key), 401);
    // A new key is printed nevertheless: it is shown only once, and revokes nothing.
    assert_eq!(server.verify(&made), 200);
}

#[test]
fn verification_reads_no_database() {
    let folder = ServerFolder::new();
    let keys = [folder.key("ntropii").1, folder.key("ontora").1];
    let header = admin_header(&folder);
    let server = folder.serve();
    // This request reads the database, so its reader thread exists.
    let listed = wire::ask(server.address, "GET", "/v1/workspaces", &header, "").unwrap();
    assert_eq!(listed.0, 200);
    // Counts how often the reader thread was scheduled.
    let turns = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
        let reader = tasks
            .map(|task| task.unwrap().path())
            .find(|task| {
                std::fs::read_to_string(task.join("comm")).unwrap().trim() == "registry-reader"
            })
            .unwrap();
        let stat = std::fs::read_to_string(reader.join("schedstat")).unwrap();
        let turns = stat.split_whitespace().nth(2).unwrap();
        turns.parse::<u32>().unwrap()
    };
    if cfg!(target_os = "linux") {
        let before = turns();
        for _ in 0..200 {
            assert_eq!(keys.each_ref().map(|key| server.verify(key)), [200, 200]);
        }
        // The thread may still have been going to sleep.
        let had = turns() - before;
        assert!(had <= 2, "400 verifications, {had} turns");
    }
    for file in ["authority.db", "authority.db-wal", "authority.db-shm"] {
        std::fs::remove_file(folder.folder().join(file)).unwrap();
    }
    assert_eq!(keys.each_ref().map(|key| server.verify(key)), [200, 200]);
    assert_eq!(server.verify("ntro_prod_nobodyhasthisone"), 401);
}

#[test]
fn full_disk_answers_503() {
    let folder = ServerFolder::new();
    let header = admin_header(&folder);
    let tenant = tenant_id(&folder);
    let (_, old) = folder.key("ntropii");
    let server = folder.serve_on_a_small_disk(1_200);
    let mut made = Vec::new();
    let refused = loop {
        let (status, body) = make_key(server.address, &tenant, &header).unwrap();
        if status != 201 {
            break (status, body);
        }
        made.push(body["key"].as_str().unwrap().to_owned());
        assert!(made.len() < 5_000, "the disk is never full");
    };
    assert_eq!(refused.0, 503, "{}", refused.1);
    assert_eq!(refused.1["code"], "unavailable");
    // Retries, and does not count an attempt that wrote nothing as a success.
    let full = Instant::now();
    while full.elapsed() < Duration::from_secs(3) {
        let ready = wire::ask(server.address, "GET", "/readyz", "accept: */*", "").unwrap();
        assert_eq!(ready.0, 503, "after {:?}", full.elapsed());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.verify(&old), 200);
    assert_eq!(server.verify(&made[0]), 200);
    server.kill();
    let server = folder.serve();
    assert!(made.iter().all(|key| server.verify(key) == 200));
    let listed = folder.admin_ok("key list");
    assert_eq!(listed.as_array().unwrap().len(), made.len() + 1);
    assert_eq!(make_key(server.address, &tenant, &header).unwrap().0, 201);
}

#[test]
fn shutdown_answers_open_request() {
    let folder = ServerFolder::new();
    let header = admin_header(&folder);
    let body = json!({"name": "CI", "workspace_id": tenant_id(&folder), "scopes": ["*"]});
    let body = body.to_string();
    let server = folder.serve();
    let mut stream = wire::connect(server.address);
    let head = format!(
        "POST /v1/api-keys HTTP/1.1\r\nhost: authority\r\n{header}\r\nexpect: 100-continue\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The client sends its body when the handler asks for it: the request is under way.
    let mut asked = [0; 25];
    std::io::Read::read_exact(&mut stream, &mut asked).unwrap();
    assert_eq!(&asked[..12], b"HTTP/1.1 100");
    server.signal(Signal::TERM);
    // After some moment new connections are refused, while the old one lives.
    while TcpStream::connect(server.address).is_ok() {
        thread::yield_now();
    }
    stream.write_all(body.as_bytes()).unwrap();
    let answer = wire::rest(&mut stream);
    assert_eq!(wire::status(&answer), Some(201), "{answer}");
    assert!(server.wait().success());
}

#[test]
fn restart_keeps_all_data() {
    let folder = ServerFolder::new();
    let header = admin_header(&folder);
    let keys = [folder.key("ntropii").1, folder.key("ontora").1];
    let (revoked, gone) = folder.key("ontora");
    let server = folder.serve();
    folder.admin_ok(&format!("key revoke {revoked}"));
    assert!(server.end().success());
    let server = folder.serve();
    assert_eq!(keys.each_ref().map(|key| server.verify(key)), [200, 200]);
    assert_eq!(server.verify(&gone), 401);
    let listed = wire::ask(server.address, "GET", "/v1/workspaces", &header, "").unwrap();
    assert_eq!(listed.0, 200);
    assert!(listed.1.contains("acme-fund-admin"), "{}", listed.1);
    folder.admin_ok("tenant suspend acme-fund-admin");
    assert_eq!(server.verify(&keys[0]), 403);
    folder.admin_ok("tenant resume acme-fund-admin");
    assert_eq!(server.verify(&keys[0]), 200);
}

#[test]
fn serve_errors_are_clear() {
    let folder = ServerFolder::new();
    let server = folder.serve();
    let refusal = |arguments: &[&str]| {
        let output = folder
            .command()
            .arg("serve")
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.stdout, b"", "{error}");
        (output.status.code().unwrap(), error)
    };
    let taken = server.address.to_string();
    let other = format!("sqlite:{}", folder.folder().join("other.db").display());
    let (code, error) = refusal(&["--database", &other, "--listen", &taken]);
    assert_eq!(code, 9);
    assert!(
        error.contains(&format!("cannot listen on {taken}")),
        "{error}"
    );
    let (code, error) = refusal(&["--listen", "127.0.0.1:0"]);
    assert_eq!(code, 9);
    assert!(error.contains("another process serves"), "{error}");
    let postgres = "postgres://ntro@localhost:1/ntro";
    let (code, error) = refusal(&["--database", postgres, "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 2);
    assert!(error.contains("give `--key-material DIR`"), "{error}");
    let text = folder.folder().join("text");
    std::fs::write(&text, "no database at all, but a text of some length").unwrap();
    let text = format!("sqlite:{}", text.display());
    let (code, error) = refusal(&["--database", &text, "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 3, "{error}");
    assert!(
        error.contains("is not a database of an authority"),
        "{error}"
    );
    let (code, error) = refusal(&[
        "--database",
        &other,
        "--listen",
        "127.0.0.1:0",
        "--issuer",
        "urn:a",
    ]);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("`urn:a` cannot be discovered"), "{error}");
    assert!(error.contains("--jwks"), "{error}");
    let issuers = ["--issuer", "https://a.test", "--issuer", "https://b.test"];
    let (code, error) = refusal(&[&issuers[..], &["--jwks", "a.json"]].concat());
    assert_eq!(code, 2, "{error}");
    assert!(
        error.contains("give `--jwks` for every `--issuer` or for none"),
        "{error}"
    );
}

#[test]
fn token_lifetime_accepts_period() {
    let folder = ServerFolder::new();
    for (life, seconds) in [
        ("45s", 45),
        ("8h", 8 * 3_600),
        ("1d", 86_400),
        ("52w", 31_449_600),
    ] {
        let before = jiff::Timestamp::now().as_second();
        let made = folder.admin_ok(&format!("token --expires-in {life}"));
        let end: jiff::Timestamp = made["expires_at"].as_str().unwrap().parse().unwrap();
        let lives = end.as_second() - before;
        assert!(
            (seconds..=seconds + 60).contains(&lives),
            "{life}: {lives} s"
        );
    }
    for life in ["0s", "999ms", "366d", "1h30m", "PT8H", "8"] {
        let refused = folder.admin(&format!("token --expires-in {life}"));
        assert_eq!(refused.status.code(), Some(2), "{life}: {refused:?}");
    }
}

#[test]
fn issuer_options_configure_own_issuer() {
    let folder = ServerFolder::new();
    let issuer = Elliptic::new();
    let jwks = folder.folder().join("jwks.json");
    std::fs::write(&jwks, issuer.jwks().to_string()).unwrap();
    let jwks = jwks.display().to_string();
    let server = folder.serve_with(&[
        "--issuer",
        "https://id.example.test",
        "--jwks",
        &jwks,
        "--audience",
        "ntro",
        "--organisation-claim",
        "acct.org",
        "--role-claim",
        "acct.role",
    ]);
    let tenant = tenant_id(&folder);
    let make = |server: &Serving, changes: Value| {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({
            "iss": "https://id.example.test", "aud": "ntro", "sub": "user_1", "exp": now + 60,
            "acct": {"org": "org_acme", "role": "admin"},
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = format!("authorization: Bearer {}", issuer.sign(&claims));
        make_key(server.address, &tenant, &header).unwrap().0
    };
    assert_eq!(make(&server, json!({})), 201);
    assert_eq!(make(&server, json!({"aud": ["other", "ntro"]})), 201);
    assert_eq!(make(&server, json!({"aud": "other"})), 401);
    assert_eq!(make(&server, json!({"aud": null})), 401);
    assert_eq!(
        make(
            &server,
            json!({"acct": {"org": "org_acme", "role": "member"}})
        ),
        403
    );
    assert_eq!(
        make(
            &server,
            json!({"acct": {"org": "org_globex", "role": "admin"}})
        ),
        403
    );
}

#[test]
fn loopback_issuer_bypasses_proxy() {
    let folder = ServerFolder::new();
    let tenant = tenant_id(&folder);
    let (issuer, liar) = (Elliptic::new(), Elliptic::new());
    let keys = always(issuer.jwks().to_string());
    let proxy = format!("http://{}", always(liar.jwks().to_string()));
    let claims = json!({
        "iss": "https://id.example.test", "sub": "user_1", "org_id": "org_acme",
        "org_role": "admin", "exp": jiff::Timestamp::now().as_second() + 300,
    });
    // Resolvers need not know the last name.
    for host in ["127.0.0.1", "localhost", "keys.localhost"] {
        let jwks = format!("http://{host}:{}/jwks.json", keys.port());
        let server = folder.serve_in(
            &[("HTTP_PROXY", &proxy), ("ALL_PROXY", &proxy)],
            &["--issuer", "https://id.example.test", "--jwks", &jwks],
        );
        for (signer, status) in [(&liar, 401), (&issuer, 201)] {
            let header = format!("authorization: Bearer {}", signer.sign(&claims));
            let (answered, body) = make_key(server.address, &tenant, &header).unwrap();
            assert_eq!(answered, status, "{host}: {body}");
        }
    }
}

#[test]
fn issuer_alone_discovers_keys() {
    let folder = ServerFolder::new();
    let tenant = tenant_id(&folder);
    let (issuer, other) = (Elliptic::new(), Elliptic::new());
    // One answer for every path: the discovery document and the key set.
    let address = always_with(|address| {
        let mut document = issuer.jwks();
        document["issuer"] = json!(format!("http://{address}"));
        document["jwks_uri"] = json!(format!("http://{address}/keys"));
        document.to_string()
    });
    let url = format!("http://{address}");
    let server = folder.serve_with(&["--issuer", &url]);
    let claims = json!({
        "iss": url, "sub": "user_1", "org_id": "org_acme",
        "org_role": "admin", "exp": jiff::Timestamp::now().as_second() + 300,
    });
    for (signer, status) in [(&other, 401), (&issuer, 201)] {
        let header = format!("authorization: Bearer {}", signer.sign(&claims));
        let (answered, body) = make_key(server.address, &tenant, &header).unwrap();
        assert_eq!(answered, status, "{body}");
    }
}

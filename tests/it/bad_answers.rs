//! Answers that no server of these APIs should give.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Reply, Sandbox, Stub};

/// A home with a connection to a stub whose URL does not appear in transcripts.
fn home(stub: &Stub) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.redacting(&stub.origin(), "[STUB]");
    sandbox.write_config(&format!(
        "default_connection_name = \"acme\"\n[connections.acme]\nhost = \"{}\"\napi_key = \"ntro_prod_good\"\n",
        stub.host()
    ));
    sandbox
}

#[test]
fn web_page_is_named() {
    let stub = Stub::start(|_| Reply::Page(403, "<html>Access denied</html>"));
    assert_snapshot!(home(&stub).ntro("auth test").transcript(), @r"
        exit code: 5
        ----- stderr -----
        error: `[STUB]` forbids this (HTTP 403)
          hint: a web page answered: check the host, and whether the network has a log-in page or a firewall in between
        ");
    let stub = Stub::start(|_| Reply::Page(200, "<html>Welcome to the hotel</html>"));
    assert_snapshot!(home(&stub).ntro("auth test").transcript(), @r"
        exit code: 1
        ----- stderr -----
        error: the answer of `[STUB]` cannot be read: it is not JSON but `text/html`
          hint: a web page answered: check the host, and whether the network has a log-in page or a firewall in between
        ");
}

#[test]
fn message_instead_of_list_is_shown() {
    let stub = Stub::start(|request| match &*request.path {
        "/v1/me" => Reply::Json(200, profile(&json!(null))),
        _ => Reply::Json(200, json!({"message": "tenants are being moved"})),
    });
    assert_snapshot!(home(&stub).ntro("tenant list").transcript(), @r"
        exit code: 1
        ----- stderr -----
        error: the answer of `[STUB]` cannot be read: it is not a list, but says: tenants are being moved
          hint: check the host: most Ntropii APIs have a path that ends in `/v1`
        ");
}

fn profile(expires_at: &Value) -> Value {
    json!({
        "id": "u1", "email": "dev@acme.test", "name": "Dev", "orgId": "org1", "roles": [],
        "tenants": [{"id": "t1", "slug": "acme", "name": "Acme"}],
        "key": {"id": "k1", "prefix": "ntro_prod_go", "expiresAt": expires_at},
    })
}

#[test]
fn odd_expiry_never_stops_command() {
    for (expires_at, warns) in [
        (json!("9999-12-31T23:59:59Z"), false),
        (json!("9999-12-31T23:59:59.9999999999Z"), false),
        (json!(""), true),
        (json!(1_893_456_000), true),
        (json!("soon"), true),
    ] {
        let answer = expires_at.clone();
        let stub = Stub::start(move |request| match &*request.path {
            "/v1/me" => Reply::Json(200, profile(&answer)),
            _ => Reply::Json(
                200,
                json!([{
                    "id": "t1", "slug": "acme", "name": "Acme", "dataPlatform": "snowflake",
                }]),
            ),
        });
        let sandbox = home(&stub);
        sandbox.make_identity();
        let login = format!(
            "auth login --api-key-stdin --store file --name new --host {}",
            stub.host()
        );
        for line in [
            &*login,
            "auth whoami",
            "key current",
            "auth status",
            "auth test",
        ] {
            let run = sandbox.ntro(line).input("ntro_prod_good").run().success();
            let warning = "says when the key expires in another form than RFC 3339: unknown";
            assert_eq!(
                run.stderr.contains(warning),
                warns,
                "{expires_at} {line}: {run}"
            );
            run.done();
        }
    }
}

#[test]
fn suggested_commands_name_their_connection() {
    let stub = Stub::start(|_| Reply::unauthorized());
    let sandbox = home(&stub);
    let config = sandbox.read("config.toml");
    sandbox.write_config(&format!(
        "{config}[connections.'other one']\nhost = \"{}\"\napi_key = \"ntro_prod_good\"\n",
        stub.host()
    ));
    let other = |line: &str| sandbox.ntro(line).arg("-c").arg("other one").run();
    for (outcome, command) in [
        (sandbox.ntro("auth test").run(), "auth login --name acme"),
        (other("auth test"), "auth login --name 'other one'"),
        (
            sandbox
                .ntro("-c")
                .arg("other one")
                .args("key revoke")
                .arg("")
                .run(),
            "key list -c 'other one'",
        ),
        (sandbox.ntro("key revoke").arg("").run(), "key list"),
    ] {
        outcome.complains(&format!("`ntro {command}`")).done();
    }
}

#[test]
fn rejected_key_of_ontora_names_version() {
    let stub = Stub::start(|_| Reply::unauthorized());
    let sandbox = home(&stub);
    let whoami = sandbox
        .ntro("auth whoami")
        .env("NTRO_HOST", stub.host())
        .env("NTRO_API_KEY", "ont_live_good");
    assert_snapshot!(whoami.transcript(), @r"
        exit code: 4
        ----- stderr -----
        warning: the variable `NTRO_API_KEY` overrides the stored API key of `acme`
        error: `[STUB]` rejected the API key (HTTP 401: Invalid or missing API key)
          hint: check the host: Ontora's has no `/v1` at its end, so `[STUB]`; else the key may be revoked or expired
        ");
    // Without a version, the key is the likelier mistake.
    let whoami = sandbox
        .ntro("auth whoami")
        .env("NTRO_HOST", stub.origin())
        .env("NTRO_API_KEY", "ont_live_good");
    let refused = whoami.transcript();
    assert!(!refused.contains("no `/v1`"), "{refused}");
}

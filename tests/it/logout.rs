//! Logging out, with and without revoking the key on its server.

use insta::assert_snapshot;
use ntro_base::Provider;
use serde_json::json;

use crate::support::{Authority, Reply, Sandbox, Stub};

#[test]
fn revoked_key_is_refused() {
    let authority = Authority::start();
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    for provider in [Provider::Ntropii, Provider::Ontora] {
        let key = authority.key(provider, "acme-fund-admin");
        let host = authority.host(provider);
        sandbox.log_in("--store file --name mine --overwrite", &host, &key.key);
        let logout = sandbox.ntro("auth logout --revoke").transcript();
        match provider {
            Provider::Ntropii => assert_snapshot!(logout, @r"
                exit code: 0
                ----- stdout -----
                ✓ `mine`: revoked and forgot its key (store: file)
                "),
            Provider::Ontora => assert_snapshot!(logout, @r"
                exit code: 0
                ----- stdout -----
                ✓ `mine`: revoked and forgot its key (store: file)
                "),
        }
        sandbox
            .ntro("auth whoami")
            .env("NTRO_API_KEY", &key.key)
            .run()
            .exits(4)
            .complains("401")
            .done();
        sandbox.ntro("auth token").run().exits(4).done();
        // No key is left to revoke, which is not an error.
        sandbox.ntro("auth logout --revoke").run().success().done();
        sandbox.assert_nowhere(&key.key);
    }
}

#[test]
fn failed_revocation_keeps_key() {
    for (status, code) in [(503, 6), (500, 1), (403, 5), (404, 1), (429, 7)] {
        let stub = Stub::start(move |request| match request.method.as_str() {
            "DELETE" => Reply::Json(status, json!({"statusCode": status, "message": "Not now"})),
            _ => Reply::Json(200, json!([])),
        });
        let sandbox = Sandbox::new();
        sandbox.redacting(&stub.origin(), "[STUB]");
        sandbox.log_in(
            "--no-verify --store plaintext",
            &stub.host(),
            "ntro_prod_good",
        );
        let logout = sandbox.ntro("auth logout --revoke").run().exits(code);
        let logout = sandbox.redact(&logout);
        match status {
            503 => assert_snapshot!(logout, @r"
                exit code: 6
                ----- stderr -----
                error: the key of `local` was not revoked and was kept: `[STUB]` is out of order (HTTP 503: Not now)
                  hint: try again later
                "),
            500 => assert_snapshot!(logout, @r"
                exit code: 1
                ----- stderr -----
                error: the key of `local` was not revoked and was kept: `[STUB]` answered unexpectedly (HTTP 500: Not now)
                "),
            403 => assert_snapshot!(logout, @r"
                exit code: 5
                ----- stderr -----
                error: the key of `local` was not revoked and was kept: `[STUB]` forbids this (HTTP 403: Not now)
                  hint: use a key that has the right to do this
                "),
            404 => assert_snapshot!(logout, @r"
                exit code: 1
                ----- stderr -----
                error: `[STUB]` lets no key revoke itself; the key of `local` was kept
                  hint: revoke it in the web application or with `ntro key revoke -c local`, then run `ntro auth logout local`
                "),
            _ => assert_snapshot!(logout, @r"
                exit code: 7
                ----- stderr -----
                error: the key of `local` was not revoked and was kept: `[STUB]` limits the rate of calls (HTTP 429: Not now)
                  hint: try again later
                "),
        }
        sandbox
            .ntro("auth token")
            .run()
            .success()
            .says("ntro_prod_good")
            .done();
    }
}

#[test]
fn dropped_connection_keeps_login() {
    let stub = Stub::start(|_| Reply::Cut);
    let sandbox = Sandbox::new();
    sandbox.redacting(&stub.origin(), "[STUB]");
    sandbox.log_in(
        "--no-verify --store plaintext",
        &stub.host(),
        "ntro_prod_good",
    );
    assert_snapshot!(sandbox.ntro("auth logout --revoke").transcript(), @r"
        exit code: 6
        ----- stderr -----
        error: the key of `local` was not revoked and was kept: cannot reach `[STUB]`: the connection was cut (connection closed before message completed)
          hint: check the host, and that the server is running
        ");
    sandbox.ntro("auth token").run().success().done();
}

#[test]
fn logout_all_reports_each_failure() {
    let authority = Authority::start();
    let sandbox = Sandbox::new();
    sandbox.redacting(&authority.origin(), "[AUTHORITY]");
    let stub = Stub::start(|_| Reply::Json(500, json!({"statusCode": 500, "message": "no"})));
    sandbox.redacting(&stub.origin(), "[STUB]");
    for (name, host, key) in [
        (
            "a",
            authority.host(Provider::Ntropii),
            authority.key(Provider::Ntropii, "acme").key,
        ),
        ("b", stub.host(), "ntro_prod_good".to_owned()),
        (
            "c",
            authority.host(Provider::Ontora),
            authority.key(Provider::Ontora, "acme").key,
        ),
    ] {
        sandbox.log_in(
            &format!("--no-verify --store plaintext --name {name}"),
            &host,
            &key,
        );
    }
    assert_snapshot!(sandbox.ntro("auth logout --all --revoke").transcript(), @r"
        exit code: 1
        ----- stdout -----
        ✓ `a`: revoked and forgot its key (store: plaintext)
        ✓ `c`: revoked and forgot its key (store: plaintext)
        ----- stderr -----
        warning: `b` stays logged in: the key of `b` was not revoked and was kept: `[STUB]` answered unexpectedly (HTTP 500: no)
        ");
    assert_snapshot!(sandbox.ntro("auth logout --all").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `a`: had no key
        ✓ `b`: forgot its key (store: plaintext)
        ✓ `c`: had no key
        ----- stderr -----
        note: the key ntro… stays valid at [STUB] until it is revoked there
        ");
    assert_snapshot!(sandbox.ntro("auth logout nobody").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `nobody`
          hint: the connections are: a, b, c
        ");
    assert_snapshot!(sandbox.ntro("auth logout a --all").transcript(), @r"
        exit code: 2
        ----- stderr -----
        error: the argument '[NAME]' cannot be used with '--all'

        Usage: ntro auth logout <NAME>

        For more information, try '--help'.
        ");
}

/// Editing `store` in the configuration does not move the stored key.
#[test]
fn logout_erases_key_from_actual_store() {
    for (store, line) in [
        ("plaintext", "auth logout local"),
        ("plaintext", "auth logout local --revoke"),
        ("plaintext", "auth remove local"),
        ("no-such-store", "auth logout local"),
        ("no-such-store", "auth remove local"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.make_identity();
        sandbox.log_in(
            "--no-verify --name local --store file",
            "http://localhost:1/v1",
            "ntro_prod_good",
        );
        let config = sandbox.config();
        let edited = config.replace("store = \"file\"", &format!("store = \"{store}\""));
        assert_ne!(edited, config);
        sandbox.write_config(&edited);
        let done = sandbox.ntro(line).run().success();
        let warned = done.stderr.contains("the key of `local` was not revoked");
        assert_eq!(warned, line.contains("--revoke"), "{done}");
        done.says("its key").says("file").done();
        // After restoring the setting, no key is found.
        sandbox.write_config(&config);
        sandbox.ntro("auth token").run().exits(4).done();
    }
}

#[test]
fn invalid_name_stays_and_is_reported() {
    let sandbox = Sandbox::new();
    sandbox.write_config(
        "[connections.good]\nhost = 'http://localhost:1/v1'\napi_key = 'ntro_prod_good'\n\
         [connections.\"bad\\u200Bname\"]\nhost = 'http://localhost:1/v1'\napi_key = 'ntro_prod_bad'\n",
    );
    let outcome = sandbox.ntro("auth logout --all -o json").run().exits(3);
    let rows = outcome.json();
    assert_eq!(rows[0]["connection"], "bad\u{200b}name");
    assert_eq!(rows[0]["code"], "config");
    assert_eq!(rows[1]["connection"], "good");
    assert_eq!(rows[1]["had_key"], true);
    outcome
        .complains("`bad<U+200B>name` stays logged in: ")
        .complains("rename or remove `[connections.\"bad<U+200B>name\"]` in `config.toml`")
        .done();
    let config = sandbox.config();
    assert!(config.contains("ntro_prod_bad") && !config.contains("ntro_prod_good"));
}

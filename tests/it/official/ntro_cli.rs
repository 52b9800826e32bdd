//! `ntro-cli`, the command line of Ntropii.

use ntro_base::Provider;
use serde_json::json;

use super::http::Requests;
use super::{RATE_LIMITED, REFUSAL, Stage, TENANT, only};

/// D.2 1.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn login_saves_connection_without_call() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);

    let config: toml::Table = stage.sandbox.config().parse().unwrap();
    assert_eq!(config["default_connection_name"].as_str(), Some("selfhost"));
    let expected = [
        ("host", stage.host(Provider::Ntropii)),
        ("api_key", key.key),
        ("default_tenant", TENANT.to_owned()),
    ];
    let expected: toml::Table = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    assert_eq!(
        config["connections"]["selfhost"].as_table(),
        Some(&expected)
    );
    assert_eq!(stage.witness.take(), []);
}

/// D.2 2.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn test_reports_connection() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    let me = Requests::new()
        .get(&format!("{}/v1/me", stage.authority.origin()))
        .bearer(&key.key)
        .expect(200)
        .body;
    let connected = format!(
        "✓ Connected as {} (org: {})",
        me["email"].as_str().unwrap(),
        me["orgId"].as_str().unwrap()
    );
    for output in ["", "-o json"] {
        stage
            .clients
            .ntro(&stage.sandbox, output)
            .args("auth test")
            .run()
            .success()
            .says(&connected)
            .done();
        let seen = only(stage.witness.take());
        assert_eq!(seen.line, "GET /v1/me");
        assert_eq!(
            seen.header("authorization"),
            Some(&*format!("Bearer {}", key.key))
        );
    }
}

/// D.2 3.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn whoami_shows_key_and_organisation() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);

    let panel = stage
        .clients
        .ntro(&stage.sandbox, "auth whoami")
        .run()
        .success();
    let json = stage
        .clients
        .ntro(&stage.sandbox, "-o json auth whoami")
        .run()
        .success()
        .json();
    let organisation = stage.authority.organisation();
    assert_eq!(
        json,
        json!({
            "id": key.id,
            "email": format!("{}@keys.invalid", key.id),
            "name": "CI integration",
            "orgId": organisation,
            "roles": ["tenant:admin"],
        })
    );
    let panel = panel
        .says("Current User")
        .says("CI integration")
        .says("tenant:admin");
    panel.says(&key.id).says(organisation).done();
    assert_eq!(stage.witness.take_lines(), ["GET /v1/me", "GET /v1/me"]);
}

/// D.2 4.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn tenant_list_shows_key_tenant() {
    let stage = Stage::new();
    let key = stage.key();
    stage.authority.key(Provider::Ntropii, "globex-capital");
    stage.official_login("selfhost", &key);

    let table = stage
        .clients
        .ntro(&stage.sandbox, "-c selfhost tenant list")
        .run()
        .success()
        .says(TENANT)
        .says(&key.tenant_id)
        .says("ACTIVE");
    assert!(!table.stdout.contains("globex"), "{table}");
    let list = stage
        .clients
        .ntro(&stage.sandbox, "-o json tenant list")
        .run()
        .success()
        .json();
    let tenant = only(list.as_array().unwrap());
    assert_eq!(
        (&tenant["id"], &tenant["slug"], &tenant["status"]),
        (&json!(key.tenant_id), &json!(TENANT), &json!("ACTIVE"))
    );
    assert_eq!(stage.witness.take_lines(), ["GET /v1/workspace/tenants"; 2]);
}

/// D.2 5.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn tenant_info_accepts_slug_or_id() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    for name in [TENANT, &key.tenant_id] {
        let path = format!("GET /v1/workspace/tenants/{name}");
        stage
            .clients
            .ntro(&stage.sandbox, &format!("tenant info {name}"))
            .run()
            .success()
            .says(&key.tenant_id)
            .says(TENANT)
            .says("managed-postgres")
            .done();
        let json = stage
            .clients
            .ntro(&stage.sandbox, &format!("-o json tenant info {name}"))
            .run()
            .success()
            .json();
        assert_eq!(json["slug"], TENANT);
        assert_eq!(stage.witness.take_lines(), [path.clone(), path]);
    }
}

/// D.2 6.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn foreign_tenant_is_not_found() {
    let stage = Stage::new();
    stage.official_login("selfhost", &stage.key());
    let other = stage.authority.key(Provider::Ntropii, "other-tenant");
    for output in ["", "-o json"] {
        for name in ["other-tenant", &other.tenant_id, "no-such-tenant"] {
            let outcome = stage
                .clients
                .ntro(&stage.sandbox, output)
                .args(&format!("tenant info {name}"))
                .run()
                .exits(1);
            assert_eq!(outcome.stdout, "");
            assert_eq!(outcome.stderr, "✗ HTTP 404: Tenant not found\n");
        }
    }
}

/// D.2 7.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn environment_key_uses_stored_host() {
    let stage = Stage::new();
    stage.official_login("selfhost", &stage.key());
    let second = stage.authority.key(Provider::Ntropii, "globex-capital");
    stage
        .clients
        .ntro(&stage.sandbox, "auth test")
        .env("NTRO_API_KEY", &second.key)
        .run()
        .success()
        .says(&format!("✓ Connected as {}@keys.invalid", second.id))
        .done();
    let seen = only(stage.witness.take());
    assert_eq!(
        seen.header("authorization"),
        Some(&*format!("Bearer {}", second.key))
    );
}

/// D.2 8.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn revoked_key_is_refused() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    stage
        .clients
        .ntro(&stage.sandbox, "auth test")
        .run()
        .success()
        .done();

    stage.authority.revoke(&key);
    for command in [
        "auth test",
        "auth whoami",
        "-o json auth test",
        "-o json tenant list",
    ] {
        let outcome = stage.clients.ntro(&stage.sandbox, command).run().exits(1);
        assert_eq!(outcome.stdout, "");
        assert_eq!(outcome.stderr, format!("✗ HTTP 401: {REFUSAL}\n"));
    }
}

/// D.2 9.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn both_keys_work_during_replacement() {
    let stage = Stage::new();
    let (old, new) = (stage.key(), stage.key());
    let as_key = |id: &str| format!("✓ Connected as {id}@keys.invalid");
    let test = |id: &str| {
        let outcome = stage.clients.ntro(&stage.sandbox, "auth test").run();
        outcome.success().says(&as_key(id)).done();
    };
    stage.official_login("selfhost", &old);
    test(&old.id);
    stage.official_login("selfhost", &new);
    test(&new.id);
    // Clients with the old key keep working.
    stage
        .clients
        .ntro(&stage.sandbox, "auth test")
        .env("NTRO_API_KEY", &old.key)
        .run()
        .success()
        .says(&as_key(&old.id))
        .done();
    stage.authority.revoke(&old);
    test(&new.id);
    stage
        .clients
        .ntro(&stage.sandbox, "auth test")
        .env("NTRO_API_KEY", &old.key)
        .run()
        .exits(1)
        .complains(&format!("✗ HTTP 401: {REFUSAL}"))
        .done();
}

/// D.2 10.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn rate_limit_is_reported_without_retry() {
    let stage = Stage::with_one_request_a_minute();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    stage
        .clients
        .ntro(&stage.sandbox, "auth test")
        .run()
        .success()
        .done();
    stage.witness.take();

    for output in ["", "-o json"] {
        let outcome = stage
            .clients
            .ntro(&stage.sandbox, output)
            .args("auth test")
            .run()
            .exits(1);
        assert_eq!(outcome.stderr, format!("✗ HTTP 429: {RATE_LIMITED}\n"));
        assert_eq!(stage.witness.take_lines(), ["GET /v1/me"]);
    }
    let limited = Requests::new()
        .get(&format!("{}/me", stage.host(Provider::Ntropii)))
        .bearer(&key.key)
        .expect(429);
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(
        limited.body,
        json!({"statusCode": 429, "message": RATE_LIMITED, "error": "Too Many Requests"})
    );
}

/// D.2 11.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn call_without_key_is_refused() {
    let stage = Stage::new();
    let host = stage.host(Provider::Ntropii);
    stage
        .clients
        .ntro(&stage.sandbox, "auth login --no-interactive --name nokey")
        .args(&format!("--host {host}"))
        .run()
        .success()
        .done();
    for output in ["", "-o json"] {
        stage
            .clients
            .ntro(&stage.sandbox, output)
            .args("-c nokey auth test")
            .run()
            .exits(1)
            .complains(&format!("✗ HTTP 401: {REFUSAL}"))
            .done();
        let seen = only(stage.witness.take());
        assert_eq!(
            (&*seen.line, seen.header("authorization")),
            ("GET /v1/me", None)
        );
    }
}

/// D.2 13.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn login_option_differs_from_documentation() {
    let stage = Stage::new();
    stage
        .clients
        .ntro(
            &stage.sandbox,
            "auth login --no-interactive --default-tenant acme",
        )
        .run()
        .exits(2)
        .complains("No such option")
        .complains("--default-tenant")
        .done();
    assert_eq!(stage.sandbox.files(), Vec::<String>::new());

    // Our client accepts both.
    let key = stage.key();
    for (name, flag) in [("one", "--tenant"), ("two", "--default-tenant")] {
        let host = stage.host(Provider::Ntropii);
        stage
            .sandbox
            .ntro("auth login --no-interactive --store plaintext --api-key-stdin")
            .args(&format!("--name {name} --host {host} {flag} {TENANT}"))
            .input(&key.key)
            .run()
            .success()
            .done();
        let config: toml::Table = stage.sandbox.config().parse().unwrap();
        let tenant = &config["connections"][name]["default_tenant"];
        assert_eq!(tenant.as_str(), Some(TENANT));
    }
}

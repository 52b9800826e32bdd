//! `ntro tenant`.

use ntro_base::Provider;

use crate::support::{Authority, IssuedKey, Sandbox, Stub};

#[test]
fn tenant_commands_show_key_tenant() {
    let (sandbox, authority) = (Sandbox::new(), Authority::start());
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    log_in(
        &sandbox,
        "local",
        &authority.host(Provider::Ntropii),
        &key.key,
    );
    insta::assert_snapshot!(sandbox.ntro("tenant list").transcript(), @r"
    exit code: 0
    ----- stdout -----
       SLUG             NAME             STATUS  ID
    ●  acme-fund-admin  acme-fund-admin  ACTIVE  [UUID]
    ");
    let list = sandbox.ntro("tenant list -o json").run().success().json();
    assert_eq!(list[0]["slug"], "acme-fund-admin");
    assert_eq!(list[0]["active"], true);
    assert_eq!(list[0]["id"], key.tenant_id);

    insta::assert_snapshot!(sandbox.ntro("tenant info acme-fund-admin").transcript(), @r"
    exit code: 0
    ----- stdout -----
    slug           acme-fund-admin
    name           acme-fund-admin
    status         ACTIVE
    id             [UUID]
    data platform  managed-postgres
    entities       0
    created        [TIME]
    ");
    let by_id = sandbox.ntro(&format!("tenant info {} -o json", key.tenant_id));
    assert_eq!(by_id.run().success().json()["slug"], "acme-fund-admin");

    // Accepts the id, and writes the slug.
    let config = sandbox.config().replace("acme-fund-admin", "gone");
    sandbox.write_config(&config);
    sandbox
        .ntro("tenant list")
        .run()
        .success()
        .complains("does not reach the tenant `gone`")
        .done();
    let used = sandbox
        .ntro(&format!("tenant use {}", key.tenant_id))
        .run()
        .success();
    insta::assert_snapshot!(used, @r"
    exit code: 0
    ----- stdout -----
    ✓ `local` uses the tenant `acme-fund-admin` now
    ");
    assert!(
        sandbox
            .config()
            .contains("default_tenant = \"acme-fund-admin\"")
    );
    sandbox.assert_only_in(&key.key, &[".ntro/config.toml"]);
}

#[test]
fn unreachable_tenant_names_other_connection() {
    let (sandbox, authority) = (Sandbox::new(), Authority::start());
    let acme = two_connections(&sandbox, &authority);
    for command in ["info", "use"] {
        let line = format!("-c acme tenant {command} globex-capital");
        let outcome = sandbox.ntro(&line).run().exits(5);
        assert!(
            outcome
                .stderr
                .contains("does not reach the tenant `globex-capital`"),
            "{outcome}"
        );
        assert!(outcome.stderr.contains("`-c globex`"), "{outcome}");
        let outcome = sandbox
            .ntro(&format!("-c acme tenant {command} nowhere"))
            .run()
            .exits(5);
        assert!(
            outcome.stderr.contains("log in with a key of `nowhere`"),
            "{outcome}"
        );
    }
    assert!(
        sandbox
            .config()
            .contains(&format!("default_tenant = \"{}\"", acme.tenant))
    );
}

#[test]
fn ontora_workspace_is_tenant() {
    let (sandbox, authority) = (Sandbox::new(), Authority::start());
    let key = authority.key(Provider::Ontora, "acme-fund-admin");
    log_in(
        &sandbox,
        "research",
        &authority.host(Provider::Ontora),
        &key.key,
    );
    let list = sandbox.ntro("tenant list -o json").run().success().json();
    assert_eq!(list[0]["slug"], key.tenant_id);
    assert_eq!(list[0]["active"], true);
    sandbox
        .ntro(&format!("tenant use {}", key.tenant_id))
        .run()
        .success()
        .done();
    sandbox.ntro("tenant info other").run().exits(5).done();
}

#[test]
fn tenant_use_reports_override() {
    let sandbox = Sandbox::new();
    let server = Stub::ntropii(&["acme", "globex"]);
    log_in(
        &sandbox,
        "local",
        &server.host(),
        "ntro_dev_good_key_0123456789",
    );
    let actives = |sandbox: &Sandbox| {
        let list = sandbox.ntro("tenant list -o json").run().success().json();
        let list = list.as_array().unwrap().clone();
        list.iter()
            .filter(|row| row["active"] == true)
            .map(|row| row["slug"].clone())
            .collect::<Vec<_>>()
    };
    assert!(actives(&sandbox).is_empty());
    let used = sandbox
        .ntro("tenant use globex")
        .env("NTRO_TENANT", "acme")
        .run()
        .success();
    assert!(
        used.stderr
            .contains("the variable `NTRO_TENANT` overrides it with `acme`"),
        "{used}"
    );
    assert_eq!(actives(&sandbox), ["globex"]);
    let used = sandbox.ntro("tenant use acme -o json").run().success();
    assert_eq!(used.stderr, "");
    assert_eq!(used.json()["default_tenant"], "acme");
    assert_eq!(actives(&sandbox), ["acme"]);
}

#[test]
fn tenant_use_needs_connection() {
    let (sandbox, authority) = (Sandbox::new(), Authority::start());
    let key = authority.key(Provider::Ntropii, "acme");
    sandbox
        .ntro("tenant use acme")
        .env("NTRO_HOST", authority.host(Provider::Ntropii))
        .env("NTRO_API_KEY", &key.key)
        .run()
        .exits(3)
        .complains("no connection is chosen")
        .done();
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

fn two_connections(sandbox: &Sandbox, authority: &Authority) -> IssuedKey {
    let host = authority.host(Provider::Ntropii);
    let acme = authority.key(Provider::Ntropii, "acme-fund-admin");
    let globex = authority.key(Provider::Ntropii, "globex-capital");
    log_in(sandbox, "acme", &host, &acme.key);
    log_in(sandbox, "globex", &host, &globex.key);
    acme
}

pub fn log_in(sandbox: &Sandbox, name: &str, host: &str, key: &str) {
    sandbox.log_in(&format!("--store plaintext --name {name}"), host, key);
}

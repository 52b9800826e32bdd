//! Logging in without questions, and using the login.

use insta::assert_snapshot;
use ntro_base::Provider;
use serde_json::{Value, json};

use crate::support::{Authority, IssuedKey, Reply, Sandbox, Stub, Terminal};

/// Returns a sandbox with an identity that opens the encrypted file without a passphrase.
fn sandbox_with(authority: &Authority) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.redacting(&authority.origin(), "[AUTHORITY]");
    sandbox
}

/// The files that [`sandbox_with`] starts with.
const NOTHING: [&str; 2] = [".ntro/.lock", ".ntro/identity.txt"];

fn login(sandbox: &Sandbox, authority: &Authority, name: &str, key: &IssuedKey) {
    let provider = key.key.parse::<ntro_base::ApiKey>().unwrap();
    let host = authority.host(provider.provider().unwrap());
    sandbox.log_in(&format!("--store file --name {name}"), &host, &key.key);
}

#[test]
fn key_works_from_login_to_logout() {
    insta::allow_duplicates! {
        login_to_logout(Provider::Ntropii, "/v1", "acme-fund-admin");
        // The path in Ontora's documentation is cut off: its API adds it to each call.
        login_to_logout(Provider::Ontora, "", "[UUID]");
    }
}

/// Runs the same steps for each system; placeholders replace the differences.
fn login_to_logout(provider: Provider, path: &str, tenant: &str) {
    let authority = Authority::start();
    let origin = authority.origin();
    let key = authority.key(provider, "acme-fund-admin");
    let mut sandbox = Sandbox::new();
    match provider {
        Provider::Ntropii => sandbox.set("NTRO_PASSPHRASE", "open sesame"),
        // An identity takes less time than a passphrase.
        Provider::Ontora => sandbox.make_identity(),
    }
    let before = sandbox.files();
    sandbox.redacting(&format!("{origin}{path}"), "[HOST]");
    sandbox.redacting(&format!("origin = \"{origin}\""), "origin = \"[ORIGIN]\"");
    sandbox.redacting(&format!("at {origin} until"), "at [ORIGIN] until");
    sandbox.redacting_key(&key, "KEY");
    let common = |text: String| {
        let text = text
            .replace(", which `[HOME]/.ntro/identity.txt` beside it opens", "")
            .replace(&format!("acme-fund-admin ({tenant})"), tenant)
            .replace(tenant, "[TENANT]")
            .replace(provider.as_str(), "[PROVIDER]");
        // Columns are as wide as the longest value.
        let lines = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let run = |line: &str| common(sandbox.ntro(line).transcript());
    let file = |text: String| common(sandbox.redact(&text));

    assert_snapshot!(run("auth token"), @r"
            exit code: 3
            ----- stderr -----
            error: no connection is chosen, and there is no default one
            hint: run `ntro auth login`, or set `NTRO_HOST` and `NTRO_API_KEY`
            ");
    assert_snapshot!(run("auth list"), @r"
            exit code: 0
            ----- stderr -----
            There are no connections yet: run `ntro auth login`.
            ");
    assert_eq!(sandbox.files(), before);

    let login = sandbox
        .ntro("auth login --store file --api-key-stdin")
        .args(&format!("--host {origin}/v1"))
        .input(format!("  {}\r\n", key.key));
    assert_snapshot!(common(login.transcript()), @r"
            exit code: 0
            ----- stdout -----
            ✓ logged in to `local` as CI integration
            host [HOST] ([PROVIDER])
            key [KEY PREFIX]… in an encrypted file in the folder of `ntro`
            tenant [TENANT]
            default yes
            ");
    let mut files = sandbox.files();
    files.retain(|file| !NOTHING.contains(&file.as_str()));
    let written = ["config.toml", "keys.age", "logins.toml"];
    assert_eq!(files, written.map(|file| format!(".ntro/{file}")));
    assert_snapshot!(file(sandbox.config()), @r#"
            default_connection_name = "local"

            [connections.local]
            host = "[HOST]"
            provider = "[PROVIDER]"
            store = "file"
            default_tenant = "[TENANT]"
            "#);
    assert_snapshot!(file(sandbox.read("logins.toml")), @r#"
            # Written by ntro: which keys it has stored, and where. Holds no key.

            [logins.local]
            store = "file"
            origin = "[ORIGIN]"
            provider = "[PROVIDER]"
            key_prefix = "[KEY PREFIX]"
            stored_at = "[TIME]"
            "#);

    whoami_and_test(&sandbox, provider);
    assert_snapshot!(run("auth list"), @r"
            exit code: 0
            ----- stdout -----
            NAME PROVIDER HOST TENANT STORE KEY
            ● local [PROVIDER] [HOST] [TENANT] file stored
            ");
    assert_snapshot!(run("auth status"), @r"
            exit code: 0
            ----- stdout -----
            NAME STATUS HOST
            local valid [HOST]
            ");
    sandbox.assert_nowhere(&key.key);
    assert_snapshot!(run("auth token"), @r"
            exit code: 0
            ----- stdout -----
            [KEY]
            ");

    assert_snapshot!(run("auth rename local production"), @r"
            exit code: 0
            ----- stdout -----
            ✓ `local` is now called `production`
            ");
    assert_snapshot!(run("auth use production"), @r"
            exit code: 0
            ----- stdout -----
            ✓ `production` is the default connection now
            ");
    assert_snapshot!(run("-c production auth token"), @r"
            exit code: 0
            ----- stdout -----
            [KEY]
            ");
    assert_snapshot!(run("auth token -c local"), @r"
            exit code: 3
            ----- stderr -----
            error: there is no connection `local` (named by `--connection`)
            hint: the connections are: production
            ");

    assert_snapshot!(run("auth logout"), @r"
            exit code: 0
            ----- stdout -----
            ✓ `production`: forgot its key (store: file)
            ----- stderr -----
            note: the key [KEY PREFIX]… stays valid at [ORIGIN] until it is revoked there
            ");
    for line in ["auth token", "auth whoami"] {
        assert_snapshot!(run(line), @r"
                exit code: 4
                ----- stderr -----
                error: there is no API key for the connection `production`
                hint: run `ntro auth login --name production`, or set `NTRO_API_KEY`
                ");
    }
    assert_snapshot!(run("auth list"), @r"
            exit code: 0
            ----- stdout -----
            NAME PROVIDER HOST TENANT STORE KEY
            ● production [PROVIDER] [HOST] [TENANT] file none
            ");
    assert_snapshot!(run("auth logout"), @r"
            exit code: 0
            ----- stdout -----
            ✓ `production`: had no key
            ");
    // The connection's settings stay for the next login.
    assert_snapshot!(file(sandbox.config()), @r#"
            default_connection_name = "production"

            [connections.production]
            host = "[HOST]"
            provider = "[PROVIDER]"
            store = "file"
            default_tenant = "[TENANT]"
            "#);
    assert_snapshot!(file(sandbox.read("logins.toml")), @"# Written by ntro: which keys it has stored, and where. Holds no key.");
}

/// Checks the commands that show what each system reports about the owner of a key.
fn whoami_and_test(sandbox: &Sandbox, provider: Provider) {
    let whoami = sandbox.ntro("auth whoami").transcript();
    let test = sandbox.ntro("auth test").transcript();
    match provider {
        Provider::Ntropii => {
            assert_snapshot!(whoami, @r"
                exit code: 0
                ----- stdout -----
                name          CI integration
                id            [UUID]
                organisation  Acme
                roles         tenant:admin
                tenants       acme-fund-admin
                tenant        acme-fund-admin
                key           [KEY PREFIX]… from the file store
                connection    local
                host          [HOST] (ntropii)
                ");
            assert_snapshot!(test, @r"
                exit code: 0
                ----- stdout -----
                ✓ connected to [HOST] as CI integration (organisation Acme)
                ");
        }
        Provider::Ontora => {
            assert_snapshot!(whoami, @r"
                exit code: 0
                ----- stdout -----
                name          CI integration
                id            [UUID]
                organisation  Acme
                tenants       acme-fund-admin ([UUID])
                tenant        acme-fund-admin ([UUID])
                key           [KEY PREFIX]… from the file store
                scopes        *
                region        us
                connection    local
                host          [HOST] (ontora)
                ");
            assert_snapshot!(test, @r"
                exit code: 0
                ----- stdout -----
                ✓ connected to [HOST] as CI integration (organisation Acme)
                ");
        }
    }
}

/// Compares the values of each step; `tests/it/json.rs` compares the fields with the schemas.
#[test]
fn json_reports_each_step() {
    let authority = Authority::start();
    let key = authority.key_with(Provider::Ontora, "acme-fund-admin", |new| {
        new.expires_in_days = Some(90);
    });
    let sandbox = sandbox_with(&authority);
    sandbox.redacting_key(&key, "KEY");
    let login = format!(
        "auth login --store file --name survey -o json --api-key - --host {}/v1",
        authority.host(Provider::Ontora)
    );
    let tenants = json!([{"id": "[UUID]", "slug": "[UUID]", "name": "acme-fund-admin"}]);
    let failure = |code: &str, message: &str, hint: &str| json!({"error": {"code": code, "message": message, "hint": hint, "request_id": null}});
    for (line, code, expected) in [
        (
            "-o json auth token",
            3,
            failure(
                "config",
                "no connection is chosen, and there is no default one",
                "run `ntro auth login`, or set `NTRO_HOST` and `NTRO_API_KEY`",
            ),
        ),
        (
            &login,
            0,
            json!({
                "connection": "survey",
                "host": "[AUTHORITY]",
                "provider": "ontora",
                "key_prefix": "[KEY PREFIX]",
                "store": "file",
                "is_default": true,
                "verified": true,
                "default_tenant": "[UUID]",
                "identity": "CI integration",
                "tenants": tenants,
                "expires_at": "[TIME]",
            }),
        ),
        (
            "auth whoami -o json",
            0,
            json!({
                "connection": "survey",
                "provider": "ontora",
                "host": "[AUTHORITY]",
                "id": "[UUID]",
                "name": "CI integration",
                "email": null,
                "organisation": "Acme",
                "organisation_id": "[UUID]",
                "roles": [],
                "tenant": "[UUID]",
                "tenants": tenants,
                "key_prefix": "[KEY PREFIX]",
                "key_source": "the file store",
                "key_source_code": "store",
                "scopes": ["*"],
                "expires_at": "[TIME]",
                "region": "us",
            }),
        ),
        (
            "auth test -o json",
            0,
            json!({
                "connection": "survey",
                "host": "[AUTHORITY]",
                "name": "CI integration",
                "organisation": "Acme",
            }),
        ),
        (
            "auth list -o json",
            0,
            json!([{
                "connection": "survey",
                "active": true,
                "provider": "ontora",
                "host": "[AUTHORITY]",
                "default_tenant": "[UUID]",
                "store": "file",
                "policy": "none",
                "production": false,
                "logged_in": true,
                "key_prefix": "[KEY PREFIX]",
                "expires_at": "[TIME]",
            }]),
        ),
        (
            "auth status -o json",
            0,
            json!([{
                "connection": "survey",
                "state": "valid",
                "ok": true,
                "host": "[AUTHORITY]",
                "message": null,
                "expires_at": "[TIME]",
                "expires_in_days": 89,
                "tripped_at": null,
            }]),
        ),
        ("auth token -o json", 0, json!({"api_key": "[KEY]"})),
        (
            "auth rename survey research -o json",
            0,
            json!({"from": "survey", "connection": "research"}),
        ),
        (
            "auth set-default research -o json",
            0,
            json!({"connection": "research"}),
        ),
        (
            "auth logout -o json",
            0,
            json!([{
                "connection": "research",
                "had_key": true,
                "revoked": false,
                "store": "file",
                "code": null,
                "message": null,
            }]),
        ),
        (
            "auth whoami -o json",
            4,
            failure(
                "not_authenticated",
                "there is no API key for the connection `research`",
                "run `ntro auth login --name research`, or set `NTRO_API_KEY`",
            ),
        ),
        (
            "auth remove research -o json",
            0,
            json!({"connection": "research", "had_key": false}),
        ),
        ("auth list -o json", 0, json!([])),
    ] {
        if line == "auth token -o json" {
            sandbox.assert_nowhere(&key.key);
        }
        let outcome = sandbox.ntro(line).input(&key.key).run().exits(code);
        let printed = match code {
            0 => &outcome.stdout,
            _ => &outcome.stderr,
        };
        let printed: Value = serde_json::from_str(&sandbox.redact(printed)).unwrap();
        assert_eq!(printed, expected, "{line}");
        let note = "There are no connections yet: run `ntro auth login`.\n";
        assert_eq!(outcome.stderr == note, expected == json!([]), "{line}");
    }
}

#[test]
fn explain_json_matches_text() {
    for provider in Provider::ALL {
        let authority = Authority::start();
        let sandbox = sandbox_with(&authority);
        let key = authority.key(provider, "acme-fund-admin");
        sandbox.redacting_key(&key, "KEY");
        login(&sandbox, &authority, "local", &key);
        let text = sandbox.ntro("auth explain").run().success().stdout;
        let json = sandbox.ntro("auth explain -o json").run().success().json();
        let mut lines = Vec::new();
        for name in [
            "connection",
            "host",
            "key",
            "tenant",
            "provider",
            "policy",
            "production",
        ] {
            let explained = &json[name];
            let value = explained["value"].as_str().unwrap();
            lines.push(format!("{name}: {value}"));
            assert_eq!(explained["error"], Value::Null);
            assert_eq!(explained["overrides"], Value::Null);
            for source in explained["sources"].as_array().unwrap() {
                let mark = match source["wins"].as_bool().unwrap() {
                    true => "→",
                    false => " ",
                };
                let found = source["found"].as_str().unwrap_or("-");
                let source = source["source"].as_str().unwrap();
                lines.push(format!("  {mark} {source}: {found}"));
            }
        }
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
        if provider == Provider::Ntropii {
            assert_snapshot!(sandbox.redact(&text), @r"
                connection: local
                    `--connection`: -
                    the variable `NTRO_CONNECTION`: -
                    the variable `NTRO_DEFAULT_CONNECTION_NAME`: -
                    no `.ntro.toml` here or above: -
                  → `default_connection_name` in `[HOME]/.ntro/config.toml`: local
                host: [AUTHORITY]/v1
                    `--host`: -
                    the variable `NTRO_HOST`: -
                  → `connections.local.host` in `[HOME]/.ntro/config.toml`: [AUTHORITY]/v1
                key: [KEY PREFIX]…
                    the variable `NTRO_API_KEY`: -
                  → the file store: [KEY PREFIX]…
                    `connections.local.api_key` in `[HOME]/.ntro/config.toml`: -
                tenant: acme-fund-admin
                    `--tenant`: -
                    the variable `NTRO_TENANT`: -
                    no `.ntro.toml` here or above: -
                  → `connections.local.default_tenant` in `[HOME]/.ntro/config.toml`: acme-fund-admin
                provider: ntropii
                  → `connections.local.provider` in `[HOME]/.ntro/config.toml`: ntropii
                    the last login, in `[HOME]/.ntro/logins.toml`: ntropii
                    the look of `NTRO_API_KEY`: -
                    the look of `api_key`: -
                    the host: -
                    the default: ntropii
                policy: none
                    the variable `NTRO_API_KEY`: -
                    `connections.local.policy` in `[HOME]/.ntro/config.toml`: -
                  → the default: none
                production: no
                    `connections.local.production` in `[HOME]/.ntro/config.toml`: -
                  → the host: no
                    the name: -
                    the default: no
                ");
        } else {
            assert!(text.contains("provider: ontora\n"), "{text}");
        }
    }
}

#[test]
fn rejected_key_is_not_stored() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    authority.revoke(&key);
    let sandbox = sandbox_with(&authority);
    sandbox.redacting_key(&key, "KEY");
    let host = authority.host(Provider::Ntropii);

    assert_snapshot!(
        sandbox
            .ntro("auth login --store file --api-key-stdin")
            .args(&format!("--host {host}"))
            .input(&key.key)
            .transcript(),
        @r"
        exit code: 4
        ----- stderr -----
        error: `[AUTHORITY]` rejected the API key (HTTP 401: Invalid or missing API key)
          hint: it may be revoked, expired or for another server: run `ntro auth login --name local` with a new key
          request id: [REQUEST ID]
        "
    );
    // A key is not stored for an unreachable server either.
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    sandbox.redacting(&gone.to_string(), "[UNUSED]");
    assert_snapshot!(
        sandbox
            .ntro("auth login --store file --api-key-stdin")
            .args(&format!("--host http://{gone}/v1"))
            .input(&key.key)
            .transcript(),
        @r"
        exit code: 6
        ----- stderr -----
        error: cannot reach `http://[UNUSED]`: the connection was refused
          hint: check the host, and that the server is running; `--no-verify` stores the key without asking
        "
    );
    assert_eq!(sandbox.files(), NOTHING);

    assert_snapshot!(
        sandbox
            .ntro("auth login --store file --api-key-stdin --no-verify")
            .args(&format!("--host http://{gone}/v1"))
            .input(&key.key)
            .transcript(),
        @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local`, without asking the server
        host     http://[UNUSED]/v1 (ntropii)
        key      [KEY PREFIX]… in an encrypted file in the folder of `ntro`, which `[HOME]/.ntro/identity.txt` beside it opens
        default  yes
        "
    );
    sandbox.ntro("auth whoami").run().exits(6).done();
    sandbox.assert_nowhere(&key.key);
}

#[test]
fn missing_values_fail_without_terminal() {
    let authority = Authority::start();
    let sandbox = sandbox_with(&authority);
    assert_snapshot!(sandbox.ntro("auth login --store file").transcript(), @r"
        exit code: 2
        ----- stderr -----
        error: an API key is needed
          hint: give it with `--api-key-stdin`, or set `NTRO_API_KEY`; on a terminal it is asked for
        ");
    assert_snapshot!(
        sandbox.ntro("auth login --store file --no-interactive --name mine").transcript(),
        @r"
        exit code: 2
        ----- stderr -----
        error: a login needs an API key, and a host
          hint: give `--api-key-stdin` (or the variable `NTRO_API_KEY`), `--host URL`
        "
    );
    assert_snapshot!(
        sandbox.ntro("auth login --store file --api-key-stdin --name mine").transcript(),
        @r"
        exit code: 2
        ----- stderr -----
        error: the host of `mine` is not known
          hint: give it with `--host`
        "
    );
    assert_snapshot!(sandbox.ntro("auth login --no-interactive --name mine").transcript(), @r"
        exit code: 2
        ----- stderr -----
        error: a login needs an API key, and a host, and a store, as the keyring cannot be used
          hint: give `--api-key-stdin` (or the variable `NTRO_API_KEY`), `--host URL`, `--store file` or `--store plaintext`
        ");
    assert_snapshot!(
        sandbox.ntro("auth login --store file --api-key-stdin").transcript(),
        @r"
        exit code: 2
        ----- stderr -----
        error: standard input: the API key is empty
          hint: copy the key again, and nothing else
        "
    );
    assert_eq!(sandbox.files(), NOTHING);
}

#[test]
fn literal_key_works_with_a_warning() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let sandbox = sandbox_with(&authority);
    sandbox.redacting_key(&key, "KEY");
    let host = authority.host(Provider::Ntropii);
    assert_snapshot!(
        sandbox
            .ntro("auth login --store file --no-interactive --name self")
            .args(&format!("--host {host} --api-key {}", key.key))
            .transcript(),
        @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `self` as CI integration
        host     [AUTHORITY]/v1 (ntropii)
        key      [KEY PREFIX]… in an encrypted file in the folder of `ntro`, which `[HOME]/.ntro/identity.txt` beside it opens
        tenant   acme-fund-admin
        default  yes
        ----- stderr -----
        note: other users can see a key in the list of processes; `--api-key-stdin` is safer
        "
    );
}

#[test]
fn other_origin_needs_overwrite() {
    let authority = Authority::start();
    let other = Authority::start();
    let sandbox = sandbox_with(&authority);
    sandbox.redacting(&other.origin(), "[OTHER]");
    let [old, new] = ["OLD", "NEW"].map(|name| {
        let key = authority.key(Provider::Ntropii, "acme-fund-admin");
        sandbox.redacting_key(&key, name);
        key
    });
    let elsewhere = other.key(Provider::Ntropii, "acme-fund-admin");
    sandbox.redacting_key(&elsewhere, "ELSEWHERE");

    login(&sandbox, &authority, "local", &old);
    login(&sandbox, &authority, "local", &new);
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 0
        ----- stdout -----
        [NEW]
        ");

    let again = |options: &str| {
        sandbox
            .ntro("auth login --store file --api-key-stdin")
            .args(&format!("--host {}/v1 {options}", other.origin()))
            .input(&elsewhere.key)
            .transcript()
    };
    let before = (sandbox.config(), sandbox.read("logins.toml"));
    assert_snapshot!(again(""), @r"
        exit code: 9
        ----- stderr -----
        error: the connection `local` already exists for [AUTHORITY]/v1, not for [OTHER]
          hint: give `--overwrite`, or another `--name`
        ");
    assert_eq!((sandbox.config(), sandbox.read("logins.toml")), before);
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 0
        ----- stdout -----
        [NEW]
        ");
    assert_snapshot!(again("--overwrite"), @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as CI integration
        host     [OTHER]/v1 (ntropii)
        key      [ELSEWHERE PREFIX]… in an encrypted file in the folder of `ntro`, which `[HOME]/.ntro/identity.txt` beside it opens
        tenant   acme-fund-admin
        default  yes
        ----- stderr -----
        note: the key [NEW PREFIX]… stays valid at [AUTHORITY] until it is revoked there
        ");
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 0
        ----- stdout -----
        [ELSEWHERE]
        ");
}

#[test]
fn login_erases_key_from_old_store() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let sandbox = sandbox_with(&authority);
    let host = authority.host(Provider::Ntropii);
    let store = |name: &str| {
        sandbox.log_in(&format!("--store {name}"), &host, &key.key);
    };
    store("plaintext");
    assert!(sandbox.config().contains(&key.key));
    sandbox.assert_only_in(&key.key, &[".ntro/config.toml"]);
    store("file");
    sandbox.assert_nowhere(&key.key);
    // The empty file is encrypted again, so that it opens with the same passphrase.
    store("plaintext");
    sandbox.ntro("auth logout").run().success().done();
    sandbox.assert_nowhere(&key.key);
    sandbox.ntro("auth token").run().exits(4).done();
}

#[test]
fn environment_alone_is_enough_in_ci() {
    let authority = Authority::start();
    let mut sandbox = Sandbox::new();
    sandbox.redacting(&authority.origin(), "[AUTHORITY]");
    for (provider, name) in [(Provider::Ntropii, "NTROPII"), (Provider::Ontora, "ONTORA")] {
        let key = authority.key(provider, "acme-fund-admin");
        sandbox.redacting_key(&key, name);
        sandbox.set("NTRO_API_KEY", &key.key);
        sandbox.set("NTRO_HOST", authority.host(provider));
        let whoami = sandbox.ntro("auth whoami").run().success();
        match provider {
            Provider::Ntropii => assert_snapshot!(sandbox.redact(&whoami), @r"
                exit code: 0
                ----- stdout -----
                name          CI integration
                id            [UUID]
                organisation  Acme
                roles         tenant:admin
                tenants       acme-fund-admin
                tenant        acme-fund-admin
                key           [NTROPII PREFIX]… from the variable `NTRO_API_KEY`
                host          [AUTHORITY]/v1 (ntropii)
                "),
            Provider::Ontora => assert_snapshot!(sandbox.redact(&whoami), @r"
                exit code: 0
                ----- stdout -----
                name          CI integration
                id            [UUID]
                organisation  Acme
                tenants       acme-fund-admin ([UUID])
                tenant        acme-fund-admin ([UUID])
                key           [ONTORA PREFIX]… from the variable `NTRO_API_KEY`
                scopes        *
                region        us
                host          [AUTHORITY] (ontora)
                "),
        }
        sandbox.assert_nowhere(&key.key);
    }
    sandbox.ntro("auth status").run().exits(3).done();
    assert_eq!(sandbox.files(), Vec::<String>::new());

    // A login takes the key from the variable.
    let login = sandbox
        .ntro("auth login --no-interactive --store plaintext")
        .transcript();
    assert_snapshot!(login, @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as CI integration
        host     [AUTHORITY] (ontora)
        key      [ONTORA PREFIX]… in plain text in `config.toml`, where the official SDK reads it
        tenant   acme-fund-admin ([UUID])
        default  yes
        ");
    let key = sandbox.ntro("auth token").run().success();
    assert!(sandbox.config().contains(key.stdout.trim_end()));
}

#[test]
fn unreachable_tenant_cannot_be_default() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let sandbox = sandbox_with(&authority);
    let host = authority.host(Provider::Ntropii);
    let login = |tenant: &str| {
        sandbox
            .ntro("auth login --store file --api-key-stdin")
            .args(&format!("--host {host} {tenant}"))
            .input(&key.key)
            .transcript()
    };
    assert_snapshot!(login("--default-tenant globex-capital"), @r"
        exit code: 5
        ----- stderr -----
        error: the API key does not reach the tenant `globex-capital` (named by `--default-tenant`)
          hint: it reaches acme-fund-admin; log in with a key of `globex-capital`: `ntro auth login --name NAME`
        ");
    assert_snapshot!(login("--tenant globex-capital"), @r"
        exit code: 5
        ----- stderr -----
        error: the API key does not reach the tenant `globex-capital` (named by `--tenant`)
          hint: it reaches acme-fund-admin; log in with a key of `globex-capital`: `ntro auth login --name NAME`
        ");
    assert_eq!(sandbox.files(), NOTHING);
}

#[test]
fn several_tenants_need_a_choice() {
    let stub = Stub::ntropii(&["acme", "globex"]);
    let sandbox = Sandbox::new();
    sandbox.redacting(&stub.origin(), "[STUB]");
    let login = |options: &str| {
        sandbox
            .ntro("auth login --store plaintext --api-key-stdin")
            .args(&format!("--host {} {options}", stub.host()))
            .input("ntro_prod_good")
            .transcript()
    };
    assert_snapshot!(login(""), @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as dev@acme.test
        host     [STUB]/v1 (ntropii)
        key      ntro… in plain text in `config.toml`, where the official SDK reads it
        default  yes
        ");
    assert_snapshot!(login("--default-tenant globex"), @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as dev@acme.test
        host     [STUB]/v1 (ntropii)
        key      ntro… in plain text in `config.toml`, where the official SDK reads it
        tenant   GLOBEX Ltd (globex)
        default  yes
        ");
    // A later login keeps the choice.
    assert_snapshot!(login(""), @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as dev@acme.test
        host     [STUB]/v1 (ntropii)
        key      ntro… in plain text in `config.toml`, where the official SDK reads it
        tenant   GLOBEX Ltd (globex)
        default  yes
        ");
    assert_snapshot!(sandbox.ntro("auth whoami").transcript(), @r"
        exit code: 0
        ----- stdout -----
        name          Dev
        email         dev@acme.test
        id            u1
        organisation  org1
        roles         tenant:admin
        tenants       ACME Ltd (acme), GLOBEX Ltd (globex, active)
        tenant        GLOBEX Ltd (globex)
        key           ntro… from the plaintext store
        connection    local
        host          [STUB]/v1 (ntropii)
        ");
    assert_snapshot!(sandbox.ntro("auth whoami --tenant acme").transcript(), @r"
        exit code: 0
        ----- stdout -----
        name          Dev
        email         dev@acme.test
        id            u1
        organisation  org1
        roles         tenant:admin
        tenants       ACME Ltd (acme, active), GLOBEX Ltd (globex)
        tenant        ACME Ltd (acme)
        key           ntro… from the plaintext store
        connection    local
        host          [STUB]/v1 (ntropii)
        ");
    assert_snapshot!(sandbox.ntro("auth whoami --tenant initech").transcript(), @r"
        exit code: 5
        ----- stderr -----
        error: the API key does not reach the tenant `initech` (named by `--tenant`)
          hint: it reaches acme, globex; log in with a key of `initech`: `ntro auth login --name NAME`
        ");
}

#[test]
fn stored_key_stays_with_its_origin() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let sandbox = sandbox_with(&authority);
    sandbox.redacting_key(&key, "KEY");
    let elsewhere = Stub::start(|_| Reply::unauthorized());
    sandbox.redacting(&elsewhere.origin(), "[ELSEWHERE]");
    login(&sandbox, &authority, "local", &key);

    let host = elsewhere.host();
    let call = |command: &str| sandbox.ntro(command).arg("--host").arg(&host).transcript();
    insta::allow_duplicates! {
        for command in ["auth whoami", "auth token", "auth test"] {
            assert_snapshot!(call(command), @r"
                exit code: 4
                ----- stderr -----
                error: the stored API key of `local` belongs to [AUTHORITY], not to [ELSEWHERE] (named by `--host`)
                  hint: a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name local --host [ELSEWHERE]/v1 --overwrite`
                ");
        }
    }
    // The other values do not depend on the host.
    let explained = call("auth explain");
    let explained = explained.split("tenant: ").next().unwrap();
    assert_snapshot!(explained, @r"
        exit code: 4
        ----- stdout -----
        connection: local
            `--connection`: -
            the variable `NTRO_CONNECTION`: -
            the variable `NTRO_DEFAULT_CONNECTION_NAME`: -
            no `.ntro.toml` here or above: -
          → `default_connection_name` in `[HOME]/.ntro/config.toml`: local
        host: [ELSEWHERE]/v1
          → `--host`: [ELSEWHERE]/v1
            the variable `NTRO_HOST`: -
            `connections.local.host` in `[HOME]/.ntro/config.toml`: [AUTHORITY]/v1
        key: the stored API key of `local` belongs to [AUTHORITY], not to [ELSEWHERE] (named by `--host`)
            the variable `NTRO_API_KEY`: -
          → the file store: [KEY PREFIX]…
            `connections.local.api_key` in `[HOME]/.ntro/config.toml`: -
        ");
    assert_snapshot!(
        sandbox.ntro("auth whoami").env("NTRO_HOST", &host).transcript(),
        @r"
        exit code: 4
        ----- stderr -----
        warning: the variable `NTRO_HOST` overrides the host of `local`, [AUTHORITY]/v1
        error: the stored API key of `local` belongs to [AUTHORITY], not to [ELSEWHERE] (named by the variable `NTRO_HOST`)
          hint: a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name local --host [ELSEWHERE]/v1 --overwrite`
        "
    );
    // The key stays when the host is edited in the file.
    let config = sandbox
        .config()
        .replace(&authority.origin(), &elsewhere.origin());
    sandbox.write_config(&config);
    assert_snapshot!(sandbox.ntro("auth whoami").transcript(), @r"
        exit code: 4
        ----- stderr -----
        error: the stored API key of `local` belongs to [AUTHORITY], not to [ELSEWHERE] (named by `connections.local.host` in `[HOME]/.ntro/config.toml`)
          hint: a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name local --host [ELSEWHERE]/v1 --overwrite`
        ");
    assert_snapshot!(sandbox.ntro("auth status --all").transcript(), @r"
        exit code: 4
        ----- stdout -----
        NAME   STATUS  HOST
        local  no key  [ELSEWHERE]/v1  the stored API key of `local` belongs to [AUTHORITY], not to [ELSEWHERE] (named by `connections.local.host` in `[HOME]/.ntro/config.toml`)
        ");
    assert_snapshot!(sandbox.ntro("auth logout --revoke").transcript(), @r"
        exit code: 4
        ----- stderr -----
        error: the stored API key of `local` belongs to [AUTHORITY], not to [ELSEWHERE] (named by `connections.local.host` in `[HOME]/.ntro/config.toml`)
          hint: a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name local --host [ELSEWHERE]/v1 --overwrite`
        ");
    assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.seen());

    // The host gets a key that is given for this call.
    let whoami = sandbox
        .ntro("auth whoami")
        .env("NTRO_API_KEY", "ntro_other")
        .run();
    whoami.exits(4).done();
    let keys: Vec<_> = elsewhere.seen().into_iter().map(|seen| seen.key).collect();
    assert!(!keys.is_empty());
    assert!(keys.iter().all(|key| key.as_deref() == Some("ntro_other")));
}

#[test]
fn wrong_path_has_its_own_error() {
    let authority = Authority::start();
    let sandbox = sandbox_with(&authority);
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let login = format!(
        "auth login --no-interactive --store file --api-key-stdin --host {}",
        authority.origin()
    );
    let refused = sandbox.ntro(&login).input(&key.key).transcript();
    assert_snapshot!(refused, @r"
        exit code: 1
        ----- stderr -----
        error: `[AUTHORITY]` knows nothing of this API (HTTP 404: Not found [not_found])
          hint: check the host: most Ntropii APIs have a path that ends in `/v1`
          request id: [REQUEST ID]
        ");
}

#[test]
fn ontora_host_needs_no_version() {
    let sandbox = Sandbox::new();
    let text = Stub::start(|_| Reply::Json(200, "hello".into()));
    let none = Stub::start(|_| Reply::Json(404, serde_json::json!({"detail": "Not Found"})));
    sandbox.redacting(&text.origin(), "[SERVER]");
    sandbox.redacting(&none.origin(), "[NONE]");
    for (host, hint) in [
        (none.host(), "Ontora's has no `/v1` at its end, so `[NONE]`"),
        (
            text.host(),
            "Ontora's has no `/v1` at its end, so `[SERVER]`",
        ),
        (text.origin(), "Ontora's has no path, usually"),
    ] {
        let whoami = sandbox.ntro("auth whoami").env("NTRO_HOST", host);
        let refused = whoami.env("NTRO_API_KEY", "ont_live_good").transcript();
        assert!(refused.contains(hint), "{refused}");
    }
}

/// Returns the transcript of a login at a server.
fn login_at(sandbox: &Sandbox, server: &Stub) -> String {
    let login = "auth login --no-interactive --store plaintext --api-key-stdin --host";
    let login = sandbox.ntro(login).arg(server.host());
    login.input("ntro_prod_good").transcript()
}

#[test]
fn redirect_names_base() {
    let sandbox = Sandbox::new();
    let server = Stub::start(|request| match request.path.strip_prefix("/v1") {
        Some(path) => Reply::Moved(format!("/api/v1{path}?x=1")),
        None => Reply::unauthorized(),
    });
    sandbox.redacting(&server.origin(), "[SERVER]");
    assert_snapshot!(login_at(&sandbox, &server), @r"
        exit code: 1
        ----- stderr -----
        error: `[SERVER]` answered with a redirect to `[SERVER]/api/v1/me`, which is not followed
          hint: the API is below `[SERVER]/api/v1`: give that as the host, `--host [SERVER]/api/v1`
        ");
}

#[test]
fn invalid_profile_names_json_types() {
    let sandbox = Sandbox::new();
    let server = Stub::start(|_| Reply::Json(200, serde_json::json!(7)));
    sandbox.redacting(&server.origin(), "[SERVER]");
    assert_snapshot!(login_at(&sandbox, &server), @r"
        exit code: 1
        ----- stderr -----
        error: the answer of `[SERVER]` cannot be read: invalid type: integer `7`, expected an object
          hint: check the host: most Ntropii APIs have a path that ends in `/v1`
        ");
}

#[test]
fn other_tenant_needs_overwrite() {
    let authority = Authority::start();
    let sandbox = sandbox_with(&authority);
    let acme = authority.key(Provider::Ntropii, "acme");
    let globex = authority.key(Provider::Ntropii, "globex");
    login(&sandbox, &authority, "production", &acme);
    let before = sandbox.contents();
    let host = authority.host(Provider::Ntropii);
    let login = format!("auth login --store file --name production --host {host}");
    let again = |options: &str| {
        let login = format!("{login} --api-key-stdin {options}");
        sandbox.ntro(&login).input(&globex.key).run()
    };
    again("")
        .exits(9)
        .complains("`production` is for the tenant `acme`, which this key does not reach")
        .complains("give `--overwrite`, or another `--name`")
        .done();
    assert_eq!(sandbox.contents(), before);
    // On a terminal it is a question.
    let mut terminal = Terminal::ntro(&sandbox, &login);
    terminal.expect("Replace it?").line("y");
    terminal.expect("API key").secret(&globex.key);
    terminal
        .expect("for the tenant `acme`")
        .expect("(y/n)")
        .line("no");
    terminal.end().exits(9).shows("was not changed").done();
    assert_eq!(sandbox.contents(), before);
    // An explicit tenant is no surprise.
    again("--default-tenant globex").success().done();
    let config = sandbox.config();
    assert!(config.contains("default_tenant = \"globex\""), "{config}");
    let back = format!("{login} --api-key-stdin --overwrite");
    sandbox.ntro(&back).input(&acme.key).run().success().done();
    assert!(sandbox.config().contains("default_tenant = \"acme\""));
}

#[test]
fn odd_key_is_named_before_the_call() {
    let stub = Stub::ntropii(&["acme"]);
    let sandbox = Sandbox::new();
    let login = format!(
        "auth login --store plaintext --name mine --host {} --api-key-stdin",
        stub.host()
    );
    for (text, what) in [
        ("\"ntro_prod_good_k9Zr\"", "begins with a quotation mark"),
        (
            "NTRO_API_KEY=ntro_prod_good_k9Zr",
            "begins with the name of a variable",
        ),
        ("<ntro_prod_good_k9Zr>", "is a placeholder"),
        ("ntro_prod_good_k9Zr,", "ends with a comma or a semicolon"),
        ("ntro_prod_good****", "is masked by stars"),
    ] {
        let refused = sandbox.ntro(&login).input(text).run().exits(2);
        refused
            .complains(&format!("standard input: the API key {what}"))
            .done();
    }
    let utf16 = b"\xff\xfen\0t\0r\0o\0";
    let refused = sandbox.ntro(&login).input(utf16).run().exits(2);
    refused.complains("UTF-16").done();
    let refused = sandbox.ntro(&login).input(&utf16[2..]).run().exits(2);
    refused.complains("UTF-16").done();
    assert!(stub.seen().is_empty(), "{:?}", stub.seen());
    let key = "\u{feff}ntro_prod_good_k9Zr\u{200b}\r\n";
    sandbox.ntro(&login).input(key).run().success().done();
    assert!(sandbox.config().contains("\"ntro_prod_good_k9Zr\""));
}

#[test]
fn rejected_key_names_its_variable() {
    let stub = Stub::ntropii(&["acme"]);
    let sandbox = Sandbox::new();
    sandbox.log_in(
        "--store plaintext --name mine",
        &stub.host(),
        "ntro_prod_good",
    );
    let whoami = |key: &str| sandbox.ntro("auth whoami").env("NTRO_API_KEY", key).run();
    whoami("ntro_prod_bad")
        .exits(4)
        .complains("the key is from the variable `NTRO_API_KEY`")
        .complains("set `NTRO_API_KEY` to another key, or unset it to use a stored one")
        .done();
    whoami("'ntro_prod_bad'")
        .exits(4)
        .complains("the key from the variable `NTRO_API_KEY` begins with a quotation mark")
        .done();
    // A login with a key from elsewhere is not about the variable.
    let login = format!(
        "auth login --name mine --host {} --api-key-stdin",
        stub.host()
    );
    let refused = sandbox.ntro(&login).env("NTRO_API_KEY", "ntro_prod_good");
    let refused = refused.input("ntro_prod_bad").run().exits(4);
    assert!(
        !refused.stderr.contains("is from the variable"),
        "{refused}"
    );
}

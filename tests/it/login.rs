//! Logging in without being asked anything, and what a login makes possible.

use insta::assert_snapshot;
use ntro_base::Provider;

use crate::support::{Authority, IssuedKey, Reply, Sandbox, Stub};

/// A sandbox with an identity for the encrypted file, so that keys can be kept there unasked.
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
fn an_ntropii_key_from_the_first_login_to_the_last_logout() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let mut sandbox = Sandbox::new();
    sandbox.set("NTRO_PASSPHRASE", "open sesame");
    sandbox.redacting(&authority.origin(), "[AUTHORITY]");
    sandbox.redacting_key(&key, "KEY");
    let host = authority.host(Provider::Ntropii);

    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: no connection is chosen, and there is no default one
          hint: run `ntro auth login`, or set `NTRO_HOST` and `NTRO_API_KEY`
        ");
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 0
        ----- stderr -----
        There are no connections yet: run `ntro auth login`.
        ");
    assert_eq!(sandbox.files(), Vec::<String>::new());

    assert_snapshot!(
        sandbox
            .ntro("auth login --store file --api-key-stdin")
            .args(&format!("--host {host}"))
            .input(format!("  {}\r\n", key.key))
            .transcript(),
        @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as [UUID]@keys.invalid
        host     [AUTHORITY]/v1 (ntropii)
        key      [KEY PREFIX]… in an encrypted file in the folder of `ntro`
        tenant   acme-fund-admin
        default  yes
        "
    );
    assert_eq!(
        sandbox.files(),
        [
            ".ntro/.lock",
            ".ntro/config.toml",
            ".ntro/keys.age",
            ".ntro/logins.toml"
        ]
    );
    assert_snapshot!(sandbox.redact(&sandbox.config()), @r#"
        default_connection_name = "local"

        [connections.local]
        host = "[AUTHORITY]/v1"
        provider = "ntropii"
        store = "file"
        default_tenant = "acme-fund-admin"
        "#);
    assert_snapshot!(sandbox.redact(&sandbox.read("logins.toml")), @r#"
        # Written by ntro: which keys it has stored, and where. Holds no key.

        [logins.local]
        store = "file"
        origin = "[AUTHORITY]"
        provider = "ntropii"
        key_prefix = "[KEY PREFIX]"
        stored_at = "[TIME]"
        "#);

    assert_snapshot!(sandbox.ntro("auth whoami").transcript(), @r"
        exit code: 0
        ----- stdout -----
        name          CI integration
        email         [UUID]@keys.invalid
        id            [UUID]
        organisation  [UUID]
        roles         tenant:admin
        tenants       acme-fund-admin
        tenant        acme-fund-admin
        key           [KEY PREFIX]… from the file store
        connection    local
        host          [AUTHORITY]/v1 (ntropii)
        ");
    assert_snapshot!(sandbox.ntro("auth test").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ connected to [AUTHORITY]/v1 as [UUID]@keys.invalid (organisation [UUID])
        ");
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 0
        ----- stdout -----
           NAME   PROVIDER  HOST                       TENANT           STORE  LOGGED IN
        ●  local  ntropii   [AUTHORITY]/v1  acme-fund-admin  file   yes
        ");
    assert_snapshot!(sandbox.ntro("auth explain").transcript(), @r"
        exit code: 0
        ----- stdout -----
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
    assert_snapshot!(sandbox.ntro("auth status").transcript(), @r"
        exit code: 0
        ----- stdout -----
        NAME   STATUS  HOST
        local  valid   [AUTHORITY]/v1
        ");
    sandbox.assert_nowhere(&key.key);
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 0
        ----- stdout -----
        [KEY]
        ");

    assert_snapshot!(sandbox.ntro("auth rename local production").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `local` is called `production` now
        ");
    assert_snapshot!(sandbox.ntro("auth use production").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `production` is the default connection now
        ");
    assert_snapshot!(sandbox.ntro("-c production auth token").transcript(), @r"
        exit code: 0
        ----- stdout -----
        [KEY]
        ");
    assert_snapshot!(sandbox.ntro("auth token -c local").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `local` (named by `--connection`)
          hint: the connections are: production
        ");

    assert_snapshot!(sandbox.ntro("auth logout").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `production`: forgot its key (store: file)
        ");
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 4
        ----- stderr -----
        error: there is no API key for the connection `production`
          hint: run `ntro auth login --name production`, or set `NTRO_API_KEY`
        ");
    assert_snapshot!(sandbox.ntro("auth whoami").transcript(), @r"
        exit code: 4
        ----- stderr -----
        error: there is no API key for the connection `production`
          hint: run `ntro auth login --name production`, or set `NTRO_API_KEY`
        ");
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 0
        ----- stdout -----
           NAME        PROVIDER  HOST                       TENANT           STORE  LOGGED IN
        ●  production  ntropii   [AUTHORITY]/v1  acme-fund-admin  file   no
        ");
    assert_snapshot!(sandbox.ntro("auth logout").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `production`: had no key
        ");
    // The connection's settings stay for the next login.
    assert_snapshot!(sandbox.redact(&sandbox.config()), @r#"
        default_connection_name = "production"

        [connections.production]
        host = "[AUTHORITY]/v1"
        provider = "ntropii"
        store = "file"
        default_tenant = "acme-fund-admin"
        "#);
    assert_snapshot!(sandbox.redact(&sandbox.read("logins.toml")), @"# Written by ntro: which keys it has stored, and where. Holds no key.");
}

#[test]
fn an_ontora_key_the_same_way_in_json() {
    let authority = Authority::start();
    let key = authority.key_with(Provider::Ontora, "acme-fund-admin", |new| {
        new.expires_in_days = Some(90);
    });
    let sandbox = sandbox_with(&authority);
    sandbox.redacting_key(&key, "KEY");
    let host = authority.host(Provider::Ontora);

    assert_snapshot!(sandbox.ntro("-o json auth token").transcript(), @r#"
        exit code: 3
        ----- stderr -----
        {"error":{"code":"config","hint":"run `ntro auth login`, or set `NTRO_HOST` and `NTRO_API_KEY`","message":"no connection is chosen, and there is no default one","request_id":null}}
        "#);
    // The path that its documentation shows is taken off: its paths begin with it.
    assert_snapshot!(
        sandbox
            .ntro("auth login --store file --name survey -o json --api-key -")
            .args(&format!("--host {host}/v1"))
            .input(&key.key)
            .transcript(),
        @r#"
        exit code: 0
        ----- stdout -----
        {
          "connection": "survey",
          "host": "[AUTHORITY]",
          "provider": "ontora",
          "key_prefix": "[KEY PREFIX]",
          "store": "file",
          "is_default": true,
          "verified": true,
          "default_tenant": "[UUID]",
          "identity": "CI integration",
          "tenants": [
            {
              "id": "[UUID]",
              "slug": "[UUID]",
              "name": null
            }
          ],
          "expires_at": "[TIME]"
        }
        "#
    );
    assert_snapshot!(sandbox.ntro("auth whoami -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        {
          "connection": "survey",
          "provider": "ontora",
          "host": "[AUTHORITY]",
          "id": "[UUID]",
          "name": "CI integration",
          "email": null,
          "organisation": null,
          "roles": [],
          "tenant": "[UUID]",
          "tenants": [
            {
              "id": "[UUID]",
              "slug": "[UUID]",
              "name": null
            }
          ],
          "key_prefix": "[KEY PREFIX]",
          "key_source": "the file store",
          "scopes": [
            "*"
          ],
          "expires_at": "[TIME]",
          "region": "us"
        }
        "#);
    assert_snapshot!(sandbox.ntro("auth test -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        {
          "connection": "survey",
          "host": "[AUTHORITY]",
          "name": "CI integration",
          "organisation": null
        }
        "#);
    assert_snapshot!(sandbox.ntro("auth list -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        [
          {
            "name": "survey",
            "active": true,
            "provider": "ontora",
            "host": "[AUTHORITY]",
            "default_tenant": "[UUID]",
            "store": "file",
            "policy": "none",
            "production": false,
            "logged_in": true,
            "key_prefix": "[KEY PREFIX]",
            "expires_at": "[TIME]"
          }
        ]
        "#);
    assert_snapshot!(sandbox.ntro("auth explain -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        {
          "connection": {
            "value": "survey",
            "error": null,
            "overrides": null,
            "sources": [
              {
                "source": "`--connection`",
                "found": null,
                "wins": false
              },
              {
                "source": "the variable `NTRO_CONNECTION`",
                "found": null,
                "wins": false
              },
              {
                "source": "the variable `NTRO_DEFAULT_CONNECTION_NAME`",
                "found": null,
                "wins": false
              },
              {
                "source": "no `.ntro.toml` here or above",
                "found": null,
                "wins": false
              },
              {
                "source": "`default_connection_name` in `[HOME]/.ntro/config.toml`",
                "found": "survey",
                "wins": true
              }
            ]
          },
          "host": {
            "value": "[AUTHORITY]",
            "error": null,
            "overrides": null,
            "sources": [
              {
                "source": "`--host`",
                "found": null,
                "wins": false
              },
              {
                "source": "the variable `NTRO_HOST`",
                "found": null,
                "wins": false
              },
              {
                "source": "`connections.survey.host` in `[HOME]/.ntro/config.toml`",
                "found": "[AUTHORITY]",
                "wins": true
              }
            ]
          },
          "key": {
            "value": "[KEY PREFIX]…",
            "error": null,
            "overrides": null,
            "sources": [
              {
                "source": "the variable `NTRO_API_KEY`",
                "found": null,
                "wins": false
              },
              {
                "source": "the file store",
                "found": "[KEY PREFIX]…",
                "wins": true
              },
              {
                "source": "`connections.survey.api_key` in `[HOME]/.ntro/config.toml`",
                "found": null,
                "wins": false
              }
            ]
          },
          "tenant": {
            "value": "[UUID]",
            "error": null,
            "overrides": null,
            "sources": [
              {
                "source": "`--tenant`",
                "found": null,
                "wins": false
              },
              {
                "source": "the variable `NTRO_TENANT`",
                "found": null,
                "wins": false
              },
              {
                "source": "no `.ntro.toml` here or above",
                "found": null,
                "wins": false
              },
              {
                "source": "`connections.survey.default_tenant` in `[HOME]/.ntro/config.toml`",
                "found": "[UUID]",
                "wins": true
              }
            ]
          },
          "provider": {
            "value": "ontora",
            "error": null,
            "overrides": null,
            "sources": [
              {
                "source": "`connections.survey.provider` in `[HOME]/.ntro/config.toml`",
                "found": "ontora",
                "wins": true
              },
              {
                "source": "the last login, in `[HOME]/.ntro/logins.toml`",
                "found": "ontora",
                "wins": false
              },
              {
                "source": "the look of `NTRO_API_KEY`",
                "found": null,
                "wins": false
              },
              {
                "source": "the look of `api_key`",
                "found": null,
                "wins": false
              },
              {
                "source": "the host",
                "found": null,
                "wins": false
              },
              {
                "source": "the default",
                "found": "ntropii",
                "wins": false
              }
            ]
          },
          "policy": {
            "value": "none",
            "error": null,
            "overrides": null,
            "sources": [
              {
                "source": "the variable `NTRO_API_KEY`",
                "found": null,
                "wins": false
              },
              {
                "source": "`connections.survey.policy` in `[HOME]/.ntro/config.toml`",
                "found": null,
                "wins": false
              },
              {
                "source": "the default",
                "found": "none",
                "wins": true
              }
            ]
          },
          "production": {
            "value": "no",
            "error": null,
            "overrides": null,
            "sources": [
              {
                "source": "`connections.survey.production` in `[HOME]/.ntro/config.toml`",
                "found": null,
                "wins": false
              },
              {
                "source": "the host",
                "found": "no",
                "wins": true
              },
              {
                "source": "the name",
                "found": null,
                "wins": false
              },
              {
                "source": "the default",
                "found": "no",
                "wins": false
              }
            ]
          }
        }
        "#);
    assert_snapshot!(sandbox.ntro("auth status -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        [
          {
            "name": "survey",
            "state": "valid",
            "ok": true,
            "host": "[AUTHORITY]",
            "message": null,
            "expires_at": "[TIME]",
            "expires_in_days": 89
          }
        ]
        "#);
    sandbox.assert_nowhere(&key.key);
    assert_snapshot!(sandbox.ntro("auth token -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        {
          "api_key": "[KEY]"
        }
        "#);
    assert_snapshot!(sandbox.ntro("auth rename survey research -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        {
          "from": "survey",
          "to": "research"
        }
        "#);
    assert_snapshot!(sandbox.ntro("auth set-default research -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        {
          "default_connection_name": "research"
        }
        "#);
    assert_snapshot!(sandbox.ntro("auth logout -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        [
          {
            "name": "research",
            "had_key": true,
            "revoked": false,
            "store": "file",
            "code": null,
            "message": null
          }
        ]
        "#);
    assert_snapshot!(sandbox.ntro("auth whoami -o json").transcript(), @r#"
        exit code: 4
        ----- stderr -----
        {"error":{"code":"not_authenticated","hint":"run `ntro auth login --name research`, or set `NTRO_API_KEY`","message":"there is no API key for the connection `research`","request_id":null}}
        "#);
    assert_snapshot!(sandbox.ntro("auth remove research -o json").transcript(), @r#"
        exit code: 0
        ----- stdout -----
        {
          "name": "research",
          "had_key": false
        }
        "#);
    assert_snapshot!(sandbox.ntro("auth list -o json").transcript(), @r"
        exit code: 0
        ----- stdout -----
        []
        ----- stderr -----
        There are no connections yet: run `ntro auth login`.
        ");
}

#[test]
fn nothing_is_stored_before_the_server_has_accepted_the_key() {
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
          hint: it may be revoked, expired or another server's: run `ntro auth login` with a new key
          request id: [REQUEST ID]
        "
    );
    // A server that is not there is a different matter, and no reason to store anything either.
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    sandbox.redacting(&gone.to_string(), "[NOBODY]");
    assert_snapshot!(
        sandbox
            .ntro("auth login --store file --api-key-stdin")
            .args(&format!("--host http://{gone}/v1"))
            .input(&key.key)
            .transcript(),
        @r"
        exit code: 6
        ----- stderr -----
        error: cannot reach `http://[NOBODY]`: the connection was refused (Connection refused (os error 111))
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
        host     http://[NOBODY]/v1 (ntropii)
        key      [KEY PREFIX]… in an encrypted file in the folder of `ntro`
        default  yes
        "
    );
    sandbox.ntro("auth whoami").run().exits(6).done();
    sandbox.assert_nowhere(&key.key);
}

#[test]
fn what_would_be_asked_must_be_given_when_nobody_can_be_asked() {
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
        error: the host of `mine` is not known
          hint: give it with `--host`
        "
    );
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
fn a_literal_key_works_and_is_called_visible() {
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
        ✓ logged in to `self` as [UUID]@keys.invalid
        host     [AUTHORITY]/v1 (ntropii)
        key      [KEY PREFIX]… in an encrypted file in the folder of `ntro`
        tenant   acme-fund-admin
        default  yes
        ----- stderr -----
        note: other users can see a key in the list of processes; `--api-key-stdin` is safer
        "
    );
}

#[test]
fn a_login_replaces_the_key_of_one_origin_and_asks_before_it_goes_to_another() {
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
        ✓ logged in to `local` as [UUID]@keys.invalid
        host     [OTHER]/v1 (ntropii)
        key      [ELSEWHERE PREFIX]… in an encrypted file in the folder of `ntro`
        tenant   acme-fund-admin
        default  yes
        ");
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 0
        ----- stdout -----
        [ELSEWHERE]
        ");
}

#[test]
fn a_key_moves_from_store_to_store_and_leaves_nothing_behind() {
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
    // Sealed again with nothing in it, so that it opens with the same passphrase as before.
    store("plaintext");
    sandbox.ntro("auth logout").run().success().done();
    sandbox.assert_nowhere(&key.key);
    sandbox.ntro("auth token").run().exits(4).done();
}

#[test]
fn in_ci_the_environment_alone_is_enough() {
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
                email         [UUID]@keys.invalid
                id            [UUID]
                organisation  [UUID]
                roles         tenant:admin
                tenants       acme-fund-admin
                tenant        acme-fund-admin
                key           [NTROPII PREFIX]… from the variable `NTRO_API_KEY`
                host          [AUTHORITY]/v1 (ntropii)
                "),
            Provider::Ontora => assert_snapshot!(sandbox.redact(&whoami), @r"
                exit code: 0
                ----- stdout -----
                name     CI integration
                id       [UUID]
                tenants  [UUID]
                tenant   [UUID]
                key      [ONTORA PREFIX]… from the variable `NTRO_API_KEY`
                scopes   *
                region   us
                host     [AUTHORITY] (ontora)
                "),
        }
        sandbox.assert_nowhere(&key.key);
    }
    sandbox.ntro("auth status").run().exits(3).done();
    assert_eq!(sandbox.files(), Vec::<String>::new());

    // And a login takes the key from there.
    let login = sandbox
        .ntro("auth login --no-interactive --store plaintext")
        .transcript();
    assert_snapshot!(login, @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as CI integration
        host     [AUTHORITY] (ontora)
        key      [ONTORA PREFIX]… in plain text in `config.toml`, where the official SDK reads it
        tenant   [UUID]
        default  yes
        ");
    let key = sandbox.ntro("auth token").run().success();
    assert!(sandbox.config().contains(key.stdout.trim_end()));
}

#[test]
fn a_tenant_out_of_reach_is_no_default_tenant() {
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
          hint: it reaches acme-fund-admin; log in with a key of `globex-capital`: `ntro auth login`
        ");
    assert_snapshot!(login("--tenant globex-capital"), @r"
        exit code: 5
        ----- stderr -----
        error: the API key does not reach the tenant `globex-capital` (named by `--tenant`)
          hint: it reaches acme-fund-admin; log in with a key of `globex-capital`: `ntro auth login`
        ");
    assert_eq!(sandbox.files(), NOTHING);
}

#[test]
fn several_tenants_and_nobody_to_choose_leave_the_choice_open() {
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
        tenant   globex
        default  yes
        ");
    // What was chosen once stays.
    assert_snapshot!(login(""), @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as dev@acme.test
        host     [STUB]/v1 (ntropii)
        key      ntro… in plain text in `config.toml`, where the official SDK reads it
        tenant   globex
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
        tenants       acme, globex (active)
        tenant        globex
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
        tenants       acme (active), globex
        tenant        acme
        key           ntro… from the plaintext store
        connection    local
        host          [STUB]/v1 (ntropii)
        ");
    assert_snapshot!(sandbox.ntro("auth whoami --tenant initech").transcript(), @r"
        exit code: 5
        ----- stderr -----
        error: the API key does not reach the tenant `initech` (named by `--tenant`)
          hint: it reaches acme, globex; log in with a key of `initech`: `ntro auth login`
        ");
}

#[test]
fn a_stored_key_is_never_sent_elsewhere() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let sandbox = sandbox_with(&authority);
    sandbox.redacting_key(&key, "KEY");
    let elsewhere = Stub::start(|_| Reply::unauthorized());
    sandbox.redacting(&elsewhere.origin(), "[ELSEWHERE]");
    login(&sandbox, &authority, "local", &key);

    let host = elsewhere.host();
    let call = |command: &str| sandbox.ntro(command).arg("--host").arg(&host).transcript();
    assert_snapshot!(call("auth whoami"), @r"
        exit code: 4
        ----- stderr -----
        error: the stored API key of `local` belongs to [AUTHORITY], not to [ELSEWHERE] (named by `--host`)
          hint: a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name local --host [ELSEWHERE]/v1 --overwrite`
        ");
    assert_snapshot!(call("auth token"), @r"
        exit code: 4
        ----- stderr -----
        error: the stored API key of `local` belongs to [AUTHORITY], not to [ELSEWHERE] (named by `--host`)
          hint: a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name local --host [ELSEWHERE]/v1 --overwrite`
        ");
    assert_snapshot!(call("auth test"), @r"
        exit code: 4
        ----- stderr -----
        error: the stored API key of `local` belongs to [AUTHORITY], not to [ELSEWHERE] (named by `--host`)
          hint: a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name local --host [ELSEWHERE]/v1 --overwrite`
        ");
    assert_snapshot!(call("auth explain"), @r"
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
    // Somebody edits the file: the key does not follow.
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

    // With a key for that host it is asked, and gets that key.
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
fn a_path_that_is_not_the_apis_is_told_apart_from_what_the_key_reaches() {
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
          hint: check the host: an API of Ntropii is most often at a path that ends in `/v1`
          request id: [REQUEST ID]
        ");
}

#[test]
fn an_answer_that_is_no_profile_is_told_in_words_of_json() {
    let sandbox = Sandbox::new();
    let server = Stub::start(|_| Reply::Json(200, serde_json::json!(7)));
    sandbox.redacting(&server.origin(), "[SERVER]");
    let login = format!(
        "auth login --no-interactive --store plaintext --api-key-stdin --host {}",
        server.host()
    );
    let refused = sandbox.ntro(&login).input("ntro_prod_good").transcript();
    assert_snapshot!(refused, @r"
        exit code: 1
        ----- stderr -----
        error: the answer of `[SERVER]` cannot be read: invalid type: integer `7`, expected an object
          hint: check the host: an API of Ntropii is most often at a path that ends in `/v1`
        ");
}

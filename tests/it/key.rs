//! `ntro key`.

use ntro_base::Provider;
use serde_json::Value;

use super::tenant::log_in;
use crate::support::{Authority, IssuedKey, Sandbox, Stub};

/// A home with a connection to one authority for each provider, and an admin token.
struct Story {
    sandbox: Sandbox,
    authority: Authority,
    ntropii: IssuedKey,
    ontora: IssuedKey,
}

impl Story {
    fn begin() -> Self {
        let mut sandbox = Sandbox::new();
        let authority = Authority::start();
        let ntropii = authority.key(Provider::Ntropii, "acme-fund-admin");
        let ontora = authority.key(Provider::Ontora, "acme-fund-admin");
        log_in(
            &sandbox,
            "local",
            &authority.host(Provider::Ntropii),
            &ntropii.key,
        );
        log_in(
            &sandbox,
            "research",
            &authority.host(Provider::Ontora),
            &ontora.key,
        );
        sandbox.set("NTRO_ADMIN_TOKEN", authority.admin_token());
        Self {
            sandbox,
            authority,
            ntropii,
            ontora,
        }
    }

    fn json(&self, line: &str) -> Value {
        self.sandbox
            .ntro(&format!("{line} -o json"))
            .run()
            .success()
            .json()
    }
}

#[test]
fn current_describes_connection_key() {
    let story = Story::begin();
    let ontora = story.json("-c research key current");
    assert_eq!(ontora["id"], story.ontora.id);
    assert_eq!(ontora["key_prefix"], story.ontora.prefix);
    assert_eq!(ontora["tenant"], story.ontora.tenant_id);
    assert_eq!(ontora["scopes"], serde_json::json!(["*"]));
    assert_eq!(ontora["connection"], "research");
    let ntropii = story.json("-c local key current");
    assert_eq!(ntropii["key_prefix"], story.ntropii.prefix);
    assert_eq!(ntropii["scopes"], Value::Null);
    story
        .sandbox
        .ntro("-c research key current")
        .run()
        .success()
        .says("scopes")
        .done();
}

#[test]
fn keys_work_for_both_providers() {
    let story = Story::begin();
    for (connection, options) in [
        ("local", ""),
        ("research", "--scope interviews --scope mcp"),
    ] {
        let line = format!("-c {connection} key create --name CI --expires-in-days 90 {options}");
        let made = story.sandbox.ntro(&line).run().success();
        assert!(made.stderr.contains("it is shown this once"), "{made}");
        let key = made.stdout.strip_suffix('\n').unwrap();
        assert!(!key.contains('\n') && key.len() > 60, "{made}");

        // Only the whole key is accepted.
        let host = story.authority.host(match connection {
            "local" => Provider::Ntropii,
            _ => Provider::Ontora,
        });
        let current = || {
            let run = story
                .sandbox
                .ntro("key current -o json")
                .env("NTRO_HOST", &host);
            run.env("NTRO_API_KEY", key)
                .env("NTRO_CONNECTION", connection)
                .run()
        };
        let id = current().success().json()["id"]
            .as_str()
            .unwrap()
            .to_owned();

        let list = story.json(&format!("-c {connection} key list"));
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(
            (&list[0]["name"], &list[0]["state"]),
            (&"CI".into(), &"live".into())
        );
        assert_eq!(
            (&list[0]["active"], &list[1]["active"]),
            (&false.into(), &true.into())
        );
        assert!(list[0]["expires_at"].is_string() && list[1]["expires_at"].is_null());
        assert!(list[0].get("key").is_none());
        if connection == "research" {
            assert_eq!(list[0]["scopes"], serde_json::json!(["interviews", "mcp"]));
        }

        let revoked = story.json(&format!("-c {connection} key revoke key_{id}"));
        assert_eq!(revoked["revoked"], true);
        current().exits(4).done();
        let list = story.json(&format!("-c {connection} key list"));
        assert_eq!(list[0]["state"], "revoked");
        story
            .sandbox
            .ntro(&format!("-c {connection} key list"))
            .run()
            .success()
            .says("revoked")
            .done();
    }
}

#[test]
fn revoke_accepts_prefix_but_no_key() {
    let story = Story::begin();
    let revoke = |which: &str| story.sandbox.ntro("-c local key revoke").arg(which).run();
    let made = story.json("-c local key create --name one");
    let prefix = made["key_prefix"].as_str().unwrap();
    let outcome = revoke(&format!("{prefix}…")).success();
    assert!(
        outcome.stdout.contains("revoked the key `one`"),
        "{outcome}"
    );

    let unknown = "ntro_prod_0123456789ab_hunter2hunter2hunter2hunter2hunter2";
    revoke(unknown)
        .exits(1)
        .complains("no key of `acme-fund-admin` has this prefix")
        .done();
    story
        .sandbox
        .ntro("-c local key revoke -o json")
        .arg(unknown)
        .run()
        .exits(1)
        .done();
    let uuid = "00000000-0000-4000-8000-000000000000";
    let missing = revoke(uuid).exits(1);
    assert!(
        missing.stderr.contains("check the tenant and the id"),
        "{missing}"
    );
    revoke("").exits(2).done();
    let outputs = [made["key"].as_str().unwrap()];
    assert!(outputs[0].starts_with(prefix));
}

#[test]
fn key_is_paused_and_resumed() {
    let story = Story::begin();
    for (connection, scope) in [("local", ""), ("research", "--scope mcp")] {
        let made = format!("-c {connection} key create --name {connection} {scope}");
        let made = story.json(&made);
        let prefix = made["key_prefix"].as_str().unwrap();
        for (change, state) in [("pause", "paused"), ("resume", "live")] {
            let changed = story.json(&format!("-c {connection} key {change} {prefix}"));
            assert_eq!(changed["state"], state);
            let list = story.json(&format!("-c {connection} key list"));
            assert_eq!(list[0]["state"], state, "{list}");
        }
    }
}

#[test]
fn revocation_asks_on_terminal() {
    let story = Story::begin();
    let made = story.json("-c local key create --name doomed");
    for (answer, status) in [("n", "live"), ("y", "revoked")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ntro"));
        story.sandbox.prepare(&mut command);
        command.args(["-c", "local", "key", "revoke", made["id"].as_str().unwrap()]);
        let mut terminal = rexpect::session::spawn_command(command, Some(20_000)).unwrap();
        terminal.exp_string("Revoke the key `doomed`").unwrap();
        terminal.send_line(answer).unwrap();
        terminal.flush().unwrap();
        terminal.exp_eof().unwrap();
        let list = story.json("-c local key list");
        assert_eq!(list[0]["state"], status);
    }
}

#[test]
fn create_stores_key_without_printing() {
    let story = Story::begin();
    story.sandbox.make_identity();
    let made = story.json("-c research key create --name ci --scope mcp --save-as ci --store file");
    assert!(made.get("key").is_none(), "{made}");
    assert_eq!(made["connection"], "ci");
    assert_eq!(made["store"], "file");
    let list = story.json("auth list");
    let row = list
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["connection"] == "ci")
        .unwrap();
    assert_eq!(row["default_tenant"], story.ontora.tenant_id);
    assert_eq!(row["provider"], "ontora");
    assert_eq!(row["store"], "file");
    assert_eq!(row["active"], false);
    let current = story.json("-c ci key current");
    assert_eq!(current["key_prefix"], made["key_prefix"]);
    let key = story
        .sandbox
        .ntro("-c ci auth token")
        .run()
        .success()
        .stdout;
    let key = key.trim().to_owned();
    for entry in story.sandbox.files() {
        let bytes = std::fs::read(story.sandbox.home().join(&entry)).unwrap();
        assert!(
            !bytes.windows(key.len()).any(|part| part == key.as_bytes()),
            "{entry}"
        );
    }
    let again = "-c research key create --name ci --scope mcp --save-as ci --store file";
    let again = story.sandbox.ntro(again).run().success();
    assert!(
        again
            .stderr
            .contains("is still live: `ntro key revoke ont_"),
        "{again}"
    );
    assert!(!again.stdout.contains(&key) && !again.stderr.contains(&key));
}

#[test]
fn unusable_store_prevents_creation() {
    let story = Story::begin();
    let keys = || story.json("-c local key list").as_array().unwrap().len();
    let create = |options: &str| {
        let line = format!("-c local key create --name ci --save-as ci {options}");
        story.sandbox.ntro(&line).run()
    };
    // The sandbox has no keyring.
    create("").exits(8).done();
    // Neither a passphrase nor an identity exists.
    create("--store file").exits(8).done();
    // The name belongs to another origin.
    let config = story.sandbox.config() + "\n[connections.ci]\nhost = \"https://other.example\"\n";
    story.sandbox.write_config(&config);
    create("--store plaintext")
        .exits(9)
        .complains("other.example")
        .done();
    assert_eq!(keys(), 1);
    create("--store plaintext --overwrite").success().done();
    assert_eq!(keys(), 2);
}

#[test]
fn failed_store_revokes_new_key() {
    let story = Story::begin();
    let sandbox = &story.sandbox;
    // The admin token command removes the lock file of the folder, after the probe of the store has
    // succeeded.
    let lock = sandbox.ntro_home().join(".lock");
    let script = format!(
        "rm -f '{lock}'\nmkdir '{lock}'\necho '{token}'\n",
        lock = lock.display(),
        token = story.authority.admin_token()
    );
    let script = sandbox.add_script("token", &script);
    admin_token_command(sandbox, "local", &[script.to_str().unwrap()]);
    let outcome = sandbox
        .ntro("-c local key create --name ci --save-as ci --store plaintext")
        .env("NTRO_ADMIN_TOKEN", "")
        .run();
    assert_ne!(outcome.code, Some(0));
    assert!(
        outcome.stderr.contains("; the new key was revoked"),
        "{outcome}"
    );
    std::fs::remove_dir(&lock).unwrap();
    let list = story.json("-c local key list");
    assert_eq!(list[0]["state"], "revoked");
    assert!(!sandbox.config().contains("connections.ci"));
}

#[test]
fn missing_workspace_is_named() {
    let story = Story::begin();
    let refused = story.sandbox.ntro("-c research -t nosuch key list");
    insta::assert_snapshot!(refused.transcript(), @r"
        exit code: 1
        ----- stderr -----
        error: the admin token's owner sees no workspace `nosuch` (named by `--tenant`)
          hint: name one by its id with `--tenant`: [UUID]
        ");
}

#[test]
fn plaintext_store_is_reported() {
    let story = Story::begin();
    let made = story
        .sandbox
        .ntro("-c local key create --name x --save-as kl --store plaintext");
    let made = made.run().success();
    let place = "of `acme-fund-admin` for `kl` in plain text in `config.toml`";
    made.says(place).done();
}

#[cfg(target_os = "linux")]
#[test]
fn closed_stdout_revokes_new_key() {
    let story = Story::begin();
    for nowhere in ["/dev/full", "&-", "/dev/null"] {
        let script = format!(
            "'{}' -c local key create --name lost >{nowhere}",
            env!("CARGO_BIN_EXE_ntro")
        );
        let shell = story.sandbox.program(std::path::Path::new("/bin/sh"));
        let outcome = shell.arg("-c").arg(script).run().exits(1);
        let outcome = outcome.complains("cannot write to standard output: ");
        outcome.complains("; the new key was revoked").done();
        let list = story.json("-c local key list");
        assert_eq!(
            (&list[0]["name"], &list[0]["state"]),
            (&"lost".into(), &"revoked".into()),
            "{nowhere}"
        );
    }
}

#[test]
fn admin_token_sources_have_precedence() {
    let mut story = Story::begin();
    let token = story.authority.admin_token();
    story.sandbox.set("NTRO_ADMIN_TOKEN", "");
    let sandbox = &story.sandbox;
    let outcome = sandbox.ntro("-c local key list").run().exits(4);
    assert!(outcome.stderr.contains("admin_token_command"), "{outcome}");
    sandbox
        .ntro("-c local key list --admin-token-stdin")
        .input(&token)
        .run()
        .success()
        .done();
    sandbox
        .ntro("-c local key list")
        .env("NTRO_ADMIN_TOKEN", &token)
        .run()
        .success()
        .done();

    let file = sandbox.home().join("token");
    std::fs::write(&file, &token).unwrap();
    admin_token_command(sandbox, "local", &["cat", file.to_str().unwrap()]);
    sandbox.ntro("-c local key list").run().success().done();
    // The option overrides the variable, and the variable the command.
    let wrong = "aaaa.bbbb.cccc";
    sandbox
        .ntro("-c local key list")
        .env("NTRO_ADMIN_TOKEN", wrong)
        .run()
        .exits(4)
        .done();
    let outcome = sandbox
        .ntro("-c local key list --admin-token-stdin")
        .env("NTRO_ADMIN_TOKEN", &token)
        .input(wrong)
        .run()
        .exits(4);
    assert!(
        outcome.stderr.contains("rejected the admin token"),
        "{outcome}"
    );
    // The command is bound to the origin of its connection.
    sandbox
        .ntro("-c local key list --host https://other.example/v1")
        .run()
        .exits(4)
        .complains("is for http://127.0.0.1")
        .done();
    sandbox.assert_only_in(&token, &["token"]);
}

#[test]
fn failing_token_command_is_named() {
    let mut story = Story::begin();
    story.sandbox.set("NTRO_ADMIN_TOKEN", "");
    let sandbox = &story.sandbox;
    for (command, code, text) in [
        (
            &["no-such-program"][..],
            3,
            "`no-such-program` cannot be run",
        ),
        (
            &["sh", "-c", "echo locked >&2; exit 7"],
            4,
            "`sh` failed with exit code 7",
        ),
        (&["true"], 4, "`true` printed nothing"),
        (&["echo", "no token"], 4, "is not a JWT"),
        (&[], 3, "it names no program"),
    ] {
        admin_token_command(sandbox, "local", command);
        let outcome = sandbox.ntro("-c local key list").run().exits(code);
        assert!(outcome.stderr.contains(text), "{outcome}");
        assert!(
            outcome
                .stderr
                .contains("connections.local.admin_token_command"),
            "{outcome}"
        );
        assert_eq!(
            outcome.stderr.contains("locked\n"),
            command.len() == 3,
            "{outcome}"
        );
    }
}

#[test]
fn token_command_gets_no_secrets() {
    let mut story = Story::begin();
    story.sandbox.set("NTRO_ADMIN_TOKEN", "");
    let sandbox = &story.sandbox;
    admin_token_command(sandbox, "local", &["sh", "-c", "env >&2; exit 1"]);
    let outcome = sandbox
        .ntro("-c local key list")
        .env("NTRO_API_KEY", &story.ntropii.key)
        .env("NTRO_PASSPHRASE", "correct-horse")
        .run()
        .exits(4);
    assert!(outcome.stderr.contains("HOME="), "{outcome}");
    assert!(!outcome.stderr.contains(&story.ntropii.key));
    assert!(!outcome.stderr.contains("correct-horse"));
}

#[test]
fn forbidden_and_invalid_tokens_differ() {
    let story = Story::begin();
    let sandbox = &story.sandbox;
    for connection in ["local", "research"] {
        let create = match connection {
            "local" => "key create --name x",
            _ => "key create --name x --scope mcp",
        };
        let member = sandbox
            .ntro(&format!("-c {connection} {create} -o json"))
            .env("NTRO_ADMIN_TOKEN", story.authority.member_token())
            .run()
            .exits(5)
            .error();
        assert!(
            member["hint"]
                .as_str()
                .unwrap()
                .contains("the token is valid, but not for an admin"),
            "{member}"
        );
        assert!(member["request_id"].is_string());
        let key = sandbox
            .ntro(&format!("-c {connection} {create}"))
            .env("NTRO_ADMIN_TOKEN", &story.ontora.key)
            .run()
            .exits(4);
        assert!(
            key.stderr.contains("the variable `NTRO_ADMIN_TOKEN`"),
            "{key}"
        );
        assert!(key.stderr.contains("is not a JWT"), "{key}");
        assert!(!key.stderr.contains(&story.ontora.key));
    }
}

#[test]
fn create_checks_scopes_and_expiry() {
    let story = Story::begin();
    let run = |line: &str| story.sandbox.ntro(line).run().exits(2);
    run("-c local key create --name x --scope mcp")
        .complains("have no scopes")
        .done();
    run("-c research key create --name x")
        .complains("at least one scope")
        .done();
    run("-c research key create --name x --scope all")
        .complains("possible values")
        .done();
    run("-c local key create --name x --expires-in-days 366")
        .complains("366")
        .done();
    run("-c local key create").complains("--name").done();
}

#[test]
fn tenant_defaults_to_only_one() {
    let mut story = Story::begin();
    // A second tenant makes the choice ambiguous for the administrator.
    story.authority.key(Provider::Ntropii, "globex-capital");
    let config = story.sandbox.config().replace("default_tenant", "colour");
    story.sandbox.write_config(&config);
    // The connection's key decides.
    assert_eq!(story.json("-c local key list").as_array().unwrap().len(), 1);
    assert_eq!(
        story
            .json("-c local -t globex-capital key list")
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // A revoked key does not decide.
    story.authority.revoke(&story.ntropii);
    let outcome = story.sandbox.ntro("-c local key list").run().exits(2);
    assert!(
        outcome.stderr.contains("acme-fund-admin, globex-capital"),
        "{outcome}"
    );
    story.sandbox.set("NTRO_TENANT", "nowhere");
    let outcome = story.sandbox.ntro("-c local key list").run().exits(1);
    assert!(outcome.stderr.contains("check the tenant"), "{outcome}");
}

#[test]
fn environment_works_without_connection() {
    let (sandbox, authority) = (Sandbox::new(), Authority::start());
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let list = sandbox
        .ntro("key list -o json")
        .env("NTRO_HOST", authority.host(Provider::Ntropii))
        .env("NTRO_ADMIN_TOKEN", authority.admin_token())
        .run()
        .success()
        .json();
    assert_eq!(list[0]["id"], key.id);
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
fn server_without_key_api_is_named() {
    let sandbox = Sandbox::new();
    let server = Stub::ntropii(&["acme"]);
    log_in(
        &sandbox,
        "local",
        &server.host(),
        "ntro_dev_good_key_0123456789",
    );
    sandbox
        .ntro("key current")
        .run()
        .exits(1)
        .complains("does not offer a description of the key")
        .done();
}

/// Sets the command in `config.toml`, replacing an earlier one.
fn admin_token_command(sandbox: &Sandbox, connection: &str, words: &[&str]) {
    let mut config: toml_edit::DocumentMut = sandbox.config().parse().unwrap();
    let words: toml_edit::Array = words.iter().copied().collect();
    config["connections"][connection]["admin_token_command"] = toml_edit::value(words);
    sandbox.write_config(&config.to_string());
}

//! Protection against mistakes: pins, shadowed settings, policies, and production.

use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use ntro_base::Provider;

use super::tenant::log_in;
use crate::support::{Authority, IssuedKey, Sandbox, Stub, Terminal};

const TWO: &str = r#"default_connection_name = "staging"

[connections.staging]
host = "https://staging.example/v1"
api_key = "ntro_staging_secret0"
default_tenant = "acme-staging"

[connections.live]
host = "https://live.example/v1"
api_key = "ntro_live_secret0"
default_tenant = "acme"
"#;

/// Creates a folder with a `.ntro.toml`.
fn pinned(sandbox: &Sandbox, pin: &str) -> PathBuf {
    let folder = sandbox.home().join("project");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".ntro.toml"), pin).unwrap();
    folder
}

/// A variable, its value, the setting it shadows and the folder.
const SHADOWS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "connection",
        "NTRO_CONNECTION",
        "live",
        "",
        "the connection `staging` (named by `default_connection_name` in `[HOME]/.ntro/config.toml`)",
    ),
    (
        "connection",
        "NTRO_DEFAULT_CONNECTION_NAME",
        "live",
        "",
        "the connection `staging` (named by `default_connection_name` in `[HOME]/.ntro/config.toml`)",
    ),
    (
        "connection",
        "NTRO_CONNECTION",
        "staging",
        "connection = 'live'",
        "the connection `live` (named by `[HOME]/project/.ntro.toml`)",
    ),
    (
        "connection",
        "NTRO_DEFAULT_CONNECTION_NAME",
        "staging",
        "connection = 'live'",
        "the connection `live` (named by `[HOME]/project/.ntro.toml`)",
    ),
    (
        "host",
        "NTRO_HOST",
        "https://staging.example/v2",
        "",
        "the host of `staging`, https://staging.example/v1",
    ),
    (
        "key",
        "NTRO_API_KEY",
        "ntro_env_secret1",
        "",
        "the stored API key of `staging`",
    ),
    (
        "tenant",
        "NTRO_TENANT",
        "globex",
        "",
        "the tenant `acme-staging` (named by `connections.staging.default_tenant` in `[HOME]/.ntro/config.toml`)",
    ),
    (
        "tenant",
        "NTRO_TENANT",
        "acme-staging",
        "tenant = 'globex'",
        "the tenant `globex` (named by `[HOME]/project/.ntro.toml`)",
    ),
];

#[test]
fn shadowing_variable_is_reported() {
    let sandbox = Sandbox::new();
    sandbox.write_config(TWO);
    for (value, variable, set, pin, over) in SHADOWS {
        let folder = pinned(&sandbox, pin);
        let run = |line: &str| {
            let run = sandbox.ntro(line).in_folder(&folder);
            run.env(variable, set)
        };
        let warning = format!("warning: the variable `{variable}` overrides {over}\n");
        for line in ["auth token", "auth token --quiet"] {
            let token = run(line).run().success();
            assert_eq!(sandbox.redact(&token.stderr), warning, "{line}");
        }
        let strict = run("auth token").env("NTRO_STRICT", "1").run().exits(9);
        assert_eq!(strict.stdout, "");
        let refused = format!("the variable `{variable}` overrides {over}, and `NTRO_STRICT`");
        let message = sandbox.redact(&strict.stderr);
        assert!(message.contains(&refused), "{message}");

        let explained = run("auth explain -o json").run().success().json();
        for other in ["connection", "host", "key", "tenant"] {
            let shown = &explained[other]["overrides"];
            match other == *value {
                true => assert_eq!(sandbox.redact(&shown.as_str().unwrap()), *over),
                false => assert!(shown.is_null(), "{other}: {shown}"),
            }
        }
        let line = "auth explain -o json";
        let strict = run(line).env("NTRO_STRICT", "1").run().exits(9).json();
        assert!(strict[value]["value"].is_null(), "{strict}");
        let error = strict[value]["error"].as_str().unwrap();
        assert!(error.contains("`NTRO_STRICT` is set"), "{error}");
    }
}

#[test]
fn option_never_counts_as_shadowing() {
    let sandbox = Sandbox::new();
    sandbox.write_config(TWO);
    let folder = pinned(&sandbox, "connection = 'live'\ntenant = 'globex'");
    for (line, variables) in [
        ("auth token -c staging -t acme", &[][..]),
        (
            "auth token -c live -t acme --host https://live.example/v2",
            &[
                ("NTRO_CONNECTION", "staging"),
                ("NTRO_TENANT", "x"),
                ("NTRO_HOST", "https://x"),
            ],
        ),
        (
            "auth token",
            &[
                ("NTRO_CONNECTION", "live"),
                ("NTRO_TENANT", "globex"),
                ("NTRO_HOST", "https://live.example/v1/"),
            ],
        ),
    ] {
        let run = sandbox
            .ntro(line)
            .in_folder(&folder)
            .env("NTRO_STRICT", "1");
        let run = variables
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        let token = run.run().success();
        assert_eq!(token.stderr, "", "{line}");
    }
}

#[test]
fn shadowed_default_is_reported() {
    let sandbox = Sandbox::new();
    sandbox.write_config(TWO);
    let folder = pinned(&sandbox, "connection = 'staging'");
    let run = |line: &str| sandbox.ntro(line).in_folder(&folder);
    assert_snapshot!(run("auth use live").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `live` is the default connection now
        ----- stderr -----
        warning: `staging` is still used here, named by `[HOME]/project/.ntro.toml`
        ");
    let hidden = run("auth use staging").env("NTRO_CONNECTION", "live").run();
    hidden
        .success()
        .complains("`live` is still used here, named by the variable `NTRO_CONNECTION`")
        .done();
    let clear = sandbox.ntro("auth use live").run().success();
    assert_eq!(clear.stderr, "");
}

#[test]
fn pin_cannot_control_terminal() {
    let sandbox = Sandbox::new();
    sandbox.write_config(TWO);
    let pin = "connection = \"live\"\ntenant = \"a\\u001b]0;forged\\u0007\\u202eb\"";
    let folder = pinned(&sandbox, pin);
    let run = |line: &str| sandbox.ntro(line).in_folder(&folder);
    for run in [
        run("auth explain"),
        run("auth explain").env("NTRO_TENANT", "acme"),
        run("auth token").env("NTRO_TENANT", "acme"),
        run("auth whoami"),
    ] {
        let outcome = run.run();
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
        }
    }
    let exact = run("auth explain -o json").run().json();
    let found = exact["tenant"]["sources"].to_string();
    assert!(found.contains("\\u001b"), "{found}");
}

#[test]
fn pinned_tenant_must_be_reachable() {
    let stub = Stub::ntropii(&["acme"]);
    let mut sandbox = Sandbox::new();
    sandbox.redacting(&stub.host(), "[STUB]");
    let connection = |name: &str, tenant: &str| {
        format!(
            "[connections.{name}]\nhost = '{}'\napi_key = 'ntro_good'\ndefault_tenant = '{tenant}'\n",
            stub.host()
        )
    };
    sandbox.write_config(&(connection("here", "acme") + &connection("there", "globex")));
    sandbox.set("NTRO_ADMIN_TOKEN", "a.b.c");
    let folder = pinned(&sandbox, "connection = 'here'\ntenant = 'globex'");
    let run = |line: &str| sandbox.ntro(line).in_folder(&folder);
    assert_snapshot!(run("auth whoami").transcript(), @r"
        exit code: 5
        ----- stderr -----
        error: the API key does not reach the tenant `globex` (named by `[HOME]/project/.ntro.toml`)
          hint: it reaches acme; the connection for `globex` is `there`: `-c there`
        ");
    for line in [
        "auth test",
        "key list",
        "key create --name ci",
        "key revoke 1",
        "key current",
        "auth rotate",
        "auth logout --revoke",
    ] {
        run(line)
            .run()
            .exits(5)
            .complains("does not reach the tenant `globex`")
            .complains("the connection for `globex` is `there`: `-c there`")
            .done();
    }
    let seen = stub.seen();
    assert!(
        seen.iter().all(|request| request.method == "GET"),
        "{seen:?}"
    );
    // An option on the command line is trusted.
    run("auth whoami -t acme").run().success().done();
}

#[test]
fn connection_of_same_server_is_suggested() {
    let (here, there) = (Stub::ntropii(&["acme"]), Stub::ntropii(&["x"]));
    let sandbox = Sandbox::new();
    let connection = |name: &str, stub: &Stub, tenant: &str| {
        let host = stub.host();
        format!(
            "[connections.{name}]\nhost = '{host}'\napi_key = 'ntro_good'\ndefault_tenant = '{tenant}'\n"
        )
    };
    sandbox.write_config(
        &(connection("acme-uat", &here, "acme")
            + &connection("x-dev", &there, "x")
            + &connection("x-uat", &here, "x")),
    );
    let folder = pinned(&sandbox, "tenant = 'x'");
    let run = || {
        sandbox
            .ntro("auth whoami -c acme-uat")
            .in_folder(&folder)
            .run()
    };
    run()
        .exits(5)
        .complains("the connection for `x` is `x-uat`: `-c x-uat`")
        .done();
    sandbox
        .write_config(&(connection("acme-uat", &here, "acme") + &connection("x-dev", &there, "x")));
    run()
        .exits(5)
        .complains("the connection for `x` is `x-dev`: `-c x-dev`")
        .done();
}

/// A home with a connection to an authority.
struct Story {
    sandbox: Sandbox,
    authority: Authority,
    key: IssuedKey,
}

impl Story {
    fn begin(name: &str) -> Self {
        let mut sandbox = Sandbox::new();
        let authority = Authority::start();
        let key = authority.key(Provider::Ontora, "acme");
        log_in(&sandbox, name, &authority.host(Provider::Ontora), &key.key);
        sandbox.set("NTRO_ADMIN_TOKEN", authority.admin_token());
        sandbox.redacting_key(&key, "KEY");
        sandbox.redacting(&authority.origin(), "[AUTHORITY]");
        Self {
            sandbox,
            authority,
            key,
        }
    }

    /// Logs in again, with these options.
    fn log_in_with(&self, options: &str) {
        let line = format!("auth login --api-key-stdin --name local {options} --host");
        let login = self.sandbox.ntro(&line);
        login
            .arg(self.authority.host(Provider::Ontora))
            .input(&self.key.key)
            .run()
            .success()
            .done();
    }

    /// Adds a setting to the connection, as with an editor.
    fn say(&self, line: &str) {
        self.sandbox
            .write_config(&format!("{}{line}\n", self.sandbox.config()));
    }

    /// Rewrites `config.toml` as the official client does: unknown keys are dropped.
    fn rewrite_officially(&self) {
        self.sandbox.write_config(&format!(
            "default_connection_name = \"local\"\n\n[connections.local]\nhost = \"{}\"\napi_key = \"{}\"\n",
            self.authority.host(Provider::Ontora),
            self.key.key
        ));
    }

    fn is_refused(&self) {
        let token = self.sandbox.ntro("auth token").run().exits(5);
        assert_eq!(token.stdout, "");
        self.sandbox.ntro("auth whoami").run().success().done();
    }

    fn live_keys(&self) -> usize {
        let list = self.sandbox.ntro("key list -o json").run().success().json();
        let keys = list.as_array().unwrap().iter();
        keys.filter(|key| key["state"] == "live").count()
    }
}

#[test]
fn keyless_policy_never_reveals_key() {
    let story = Story::begin("local");
    let sandbox = &story.sandbox;
    let before = sandbox.ntro("auth list -o json").run().json();
    assert_eq!(before[0]["policy"], "none");
    story.log_in_with("--policy keyless");
    story.is_refused();
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 5
        ----- stderr -----
        error: the policy of `local` is `keyless`: its API key is never revealed
          hint: give a program a token in its place with `ntro -c local exec --keyless`; to allow more, log in again with `ntro auth login --name local --policy none`
        ");
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 0
        ----- stdout -----
           NAME   PROVIDER  HOST                    TENANT                                STORE      KEY     POLICY
        ●  local  ontora    [AUTHORITY]  [UUID]  plaintext  stored  keyless
        ");
    let list = sandbox.ntro("auth list -o json").run().json();
    assert_eq!(list[0]["policy"], "keyless");
    let explained = sandbox.ntro("auth explain -o json").run().json();
    assert_eq!(explained["policy"]["value"], "keyless");
    // Keys from the environment have no policy.
    let given = sandbox
        .ntro("auth token")
        .env("NTRO_API_KEY", &story.key.key);
    given.run().success().says(&story.key.key).done();
    let explained = sandbox
        .ntro("auth explain -o json")
        .env("NTRO_API_KEY", "ont_live_x");
    assert_eq!(explained.run().json()["policy"]["value"], "none");
    // A login without `--policy` keeps it.
    story.log_in_with("");
    story.is_refused();
    story.log_in_with("--policy none");
    let token = sandbox.ntro("auth token").run().success();
    assert_eq!(token.stdout.trim_end(), story.key.key);
    assert!(!sandbox.config().contains("policy"));
    assert!(!sandbox.read("logins.toml").contains("keyless"));
}

#[test]
fn policy_survives_config_rewrite() {
    let story = Story::begin("local");
    let sandbox = &story.sandbox;
    story.log_in_with("--policy keyless");
    story.rewrite_officially();
    story.is_refused();
    // The next change restores the policy, as does a login without `--policy`.
    sandbox.ntro("auth use local").run().success().done();
    assert!(sandbox.config().contains("policy = \"keyless\""));
    story.rewrite_officially();
    story.log_in_with("");
    assert!(sandbox.config().contains("policy = \"keyless\""));
    story.rewrite_officially();
    sandbox
        .ntro("auth rename local other")
        .run()
        .success()
        .done();
    sandbox.ntro("-c other auth token").run().exits(5).done();
    sandbox
        .ntro("auth rename other local")
        .run()
        .success()
        .done();
    story.is_refused();
    // The policy is removed with the connection; a new connection of that name has none.
    sandbox.ntro("auth logout local").run().success().done();
    assert!(sandbox.config().contains("policy = \"keyless\""));
    sandbox.ntro("auth remove local").run().success().done();
    assert!(!sandbox.read("logins.toml").contains("local"));
    story.log_in_with("--store plaintext");
    sandbox.ntro("auth token").run().success().done();
}

#[test]
fn edited_policy_is_recorded_on_use() {
    let story = Story::begin("local");
    let sandbox = &story.sandbox;
    story.say("policy = \"keyless\"\nproduction = true");
    story.is_refused();
    story.rewrite_officially();
    story.is_refused();
    let explained = sandbox.ntro("auth explain -o json").run().json();
    assert_eq!(explained["policy"]["value"], "keyless");
    assert_eq!(explained["production"]["value"], "yes");
    // The entry has other keys of ours, so removing its policy is a decision.
    sandbox.ntro("auth use local").run().success().done();
    let without = sandbox.config().replace("policy = \"keyless\"\n", "");
    sandbox.write_config(&without.replace("production = true", "store = \"plaintext\""));
    let explained = sandbox.ntro("auth explain -o json").run().json();
    assert_eq!(explained["policy"]["value"], "none");
    assert_eq!(explained["production"]["value"], "no");
}

#[test]
fn unknown_policy_is_error() {
    let story = Story::begin("local");
    story.say("policy = \"keyles\"");
    assert_snapshot!(story.sandbox.ntro("auth token").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml`, line 9, column 10: unknown policy: expected `keyless`, `confirm` or `none`
          hint: correct the file with an editor; nothing was changed
        ");
    let login = story.sandbox.ntro("auth login --policy everything");
    login
        .run()
        .exits(2)
        .complains("keyless, confirm, none")
        .done();
}

#[test]
fn confirm_policy_asks_before_reveal() {
    let story = Story::begin("local");
    let sandbox = &story.sandbox;
    story.log_in_with("--policy confirm");
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 5
        ----- stderr -----
        error: the policy of `local` is `confirm`, and nobody can be asked
          hint: run the command on a terminal, without `--no-interactive`
        ");
    let refused = Terminal::ntro(sandbox, "auth token --no-interactive");
    refused.end().exits(5).hides(&story.key.key).done();
    for (answer, code) in [("y", 0), ("n", 9)] {
        let mut terminal = Terminal::shell(sandbox, "token=$(ntro auth token)");
        terminal
            .expect("Reveal the API key of `local`?")
            .line(answer);
        let ended = terminal.end().exits(code);
        if code != 0 {
            ended.shows("was not revealed").done();
        }
    }
    // Calls of `ntro` itself need no confirmation.
    sandbox.ntro("auth whoami").run().success().done();
}

#[test]
fn production_change_needs_confirmation() {
    let story = Story::begin("local");
    let sandbox = &story.sandbox;
    story.say("production = true");
    let other = story.authority.key(Provider::Ontora, "acme");
    sandbox.redacting(&other.id, "[OTHER]");
    let create = "key create --name ci --scope *";
    let revoke = format!("key revoke {}", other.id);
    assert_eq!(story.live_keys(), 2);
    assert_snapshot!(sandbox.ntro(create).transcript(), @r"
        exit code: 2
        ----- stderr -----
        error: `local` ([AUTHORITY]) is production (by `connections.local.production` in `[HOME]/.ntro/config.toml`), and there is no terminal to confirm: create the key `ci`
          hint: give `--yes` to confirm; if `local` is not production, say `production = false` in its part of `config.toml`
        ");
    for line in [&revoke, "auth logout --revoke", "auth rotate"] {
        let refused = sandbox.ntro(line).run().exits(2);
        refused.complains("give `--yes` to confirm").done();
    }
    for line in [create, &revoke, "auth logout --revoke", "auth rotate"] {
        let mut terminal = Terminal::ntro(sandbox, line);
        terminal.expect("is production").expect("?").line("n");
        terminal.end().exits(9).done();
    }
    assert_eq!(story.live_keys(), 2);
    let mut terminal = Terminal::ntro(sandbox, create);
    terminal.expect("Really create the key `ci`?").line("y");
    terminal.end().exits(0).done();
    assert_eq!(story.live_keys(), 3);
    let yes = sandbox.ntro(&format!("{revoke} --yes")).run();
    yes.success().done();
    assert_eq!(story.live_keys(), 2);
    sandbox
        .ntro("auth logout --revoke -y")
        .run()
        .success()
        .done();
    assert_eq!(story.live_keys(), 1);
}

#[test]
fn login_never_repoints_connection() {
    let story = Story::begin("local");
    let sandbox = &story.sandbox;
    let before = sandbox.contents();
    // The same server, but the other provider.
    let ntropii = story.authority.key(Provider::Ntropii, "acme");
    let host = story.authority.host(Provider::Ntropii);
    let login = format!("auth login --no-interactive --api-key-stdin --name local --host {host}");
    let refused = sandbox.ntro(&login).input(&ntropii.key).run().exits(9);
    refused
        .complains("already exists for ontora, and the key is for ntropii")
        .complains("--overwrite")
        .done();
    // Another path, set by a variable only.
    let login = "auth login --no-interactive --api-key-stdin --name local";
    let host = format!("{}/elsewhere", story.authority.origin());
    for strict in ["1", "true", "on"] {
        let refused = sandbox
            .ntro(login)
            .env("NTRO_HOST", &host)
            .env("NTRO_STRICT", strict)
            .input(&story.key.key);
        let refused = refused.run().exits(9);
        refused
            .complains("`NTRO_HOST` overrides the host of")
            .done();
    }
    assert_eq!(sandbox.contents(), before);
}

#[test]
fn rotate_all_asks_once() {
    let story = Story::begin("local");
    let sandbox = &story.sandbox;
    story.say("production = true");
    let other = story.authority.key(Provider::Ontora, "acme");
    log_in(
        sandbox,
        "other",
        &story.authority.host(Provider::Ontora),
        &other.key,
    );
    let before = sandbox.contents();
    assert_snapshot!(sandbox.ntro("auth rotate --all").transcript(), @r"
        exit code: 2
        ----- stderr -----
        warning: the variable `NTRO_ADMIN_TOKEN` is not used with `--all`: it would go to every server
        error: there is no terminal to confirm: replace the keys of 2 connections (`local` is production) and revoke the old
          hint: give `--yes` to confirm; `--dry-run` shows what would be rotated
        ");
    let question = "Replace the keys of 2 connections (`local` is production) and revoke the old?";
    let mut terminal = Terminal::ntro(sandbox, "auth rotate --all");
    terminal
        .expect(question)
        .line("")
        .expect(question)
        .line("n");
    terminal.end().exits(9).shows("no key was rotated").done();
    assert_eq!(sandbox.contents(), before);
    let dry = sandbox.ntro("auth rotate --all --dry-run").run().success();
    dry.complains("2 to be rotated").done();
    let mut terminal = Terminal::ntro(sandbox, "auth rotate --all --older-than 60d");
    terminal
        .expect("(`local` is production), if older than 60d,")
        .line("y")
        .expect("not older than 60d")
        .expect("2 skipped");
    terminal.end().exits(0).done();

    let mut terminal = Terminal::ntro(sandbox, "auth rotate --all");
    terminal.expect(question).line("y").expect("2 rotated");
    terminal.end().exits(0).done();
    let meant = sandbox.ntro("auth rotate --all --yes -o json").run();
    assert_eq!(meant.success().json()[0]["state"], "rotated");
}

#[test]
fn loopback_host_is_not_production() {
    let story = Story::begin("production");
    let explained = story.sandbox.ntro("auth explain -o json").run().json();
    assert_eq!(explained["production"]["value"], "no");
    let create = story.sandbox.ntro("key create --name ci --scope *");
    create.run().success().done();
}

#[test]
fn set_changes_policy_and_production() {
    let sandbox = Sandbox::new();
    sandbox.write_config(&format!("# ours\n{TWO}"));
    let run = |line: &str| sandbox.ntro(line);
    assert_snapshot!(run("auth set live --policy keyless --production true").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `live`: policy keyless, production yes
        ");
    run("auth token -c live").run().exits(5).done();
    // Each of these loosens something.
    for line in [
        "--policy confirm",
        "--policy none",
        "--production false",
        "--production auto",
    ] {
        let refused = run(&format!("auth set live {line}")).run().exits(2);
        refused.complains("loosens the protection of `live`").done();
    }
    let config = sandbox.config();
    assert!(config.starts_with("# ours\n"), "{config}");
    assert!(
        config.contains("policy = \"keyless\"\nproduction = true\n"),
        "{config}"
    );
    run("auth set live --policy none --production auto --yes")
        .run()
        .success()
        .says("policy none, production decided by its host and name")
        .done();
    run("auth token -c live").run().success().done();
    let list = run("auth list -o json").run().json();
    let live = list
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["connection"] == "live");
    assert_eq!(live.unwrap()["production"], false);
    run("auth set live").run().exits(2).done();
    run("auth set absent --policy none").run().exits(3).done();
}

#[test]
fn dropped_setting_stays_recorded() {
    let sandbox = Sandbox::new();
    sandbox.write_config(TWO);
    let set = "auth set live --policy keyless --production true";
    sandbox.ntro(set).run().success().done();
    // The official clients drop the settings; the record restores what was set last.
    sandbox.write_config(TWO);
    sandbox.ntro("auth token -c live").run().exits(5).done();
    let set = "auth set live --production auto --yes";
    sandbox.ntro(set).run().success().done();
    sandbox.write_config(TWO);
    let list = sandbox.ntro("auth list -o json").run().json();
    assert_eq!(list[0]["policy"], "keyless");
    assert_eq!(list[0]["production"], false);
}

#[test]
fn production_is_in_name() {
    let sandbox = Sandbox::new();
    let names = [
        ("acme-prod", true),
        ("prod-eu", true),
        ("PROD", true),
        ("acme-production", true),
        ("production-eu", true),
        ("product", false),
        ("reprod", false),
        ("prod_eu", false),
        ("acme-prod-test", false),
    ];
    let entries =
        names.map(|(name, _)| format!("[connections.{name}]\nhost = \"https://a.example/v1\"\n"));
    sandbox.write_config(&entries.concat());
    let list = sandbox.ntro("auth list -o json").run().json();
    for (name, production) in names {
        let row = list
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["connection"] == name);
        assert_eq!(row.unwrap()["production"], production, "{name}");
    }
}

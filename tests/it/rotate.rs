//! `ntro auth rotate`.

use insta::assert_snapshot;
use ntro_base::Provider;

use crate::support::{Authority, Fault, Faulty, IssuedKey, Sandbox, Stub, Terminal, When};

const TENANT: &str = "acme-fund-admin";

fn login(sandbox: &Sandbox, name: &str, host: &str, key: &str) {
    sandbox.log_in(&format!("--store file --name {name}"), host, key);
}

fn stored(sandbox: &Sandbox, name: &str) -> String {
    let token = sandbox.ntro("auth token -c").arg(name).run().success();
    token.stdout.trim_end().to_owned()
}

/// An authority, a home with the login `local`, and the key.
fn logged_in(provider: Provider) -> (Authority, Sandbox, IssuedKey) {
    let authority = Authority::start();
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let key = authority.key(provider, TENANT);
    login(&sandbox, "local", &authority.host(provider), &key.key);
    (authority, sandbox, key)
}

#[test]
fn key_is_replaced_and_revoked() {
    for provider in Provider::ALL {
        let (authority, sandbox, old) = logged_in(provider);
        let rotated = sandbox.ntro("auth rotate -o json").run().success();
        let row = rotated.json();
        let new = stored(&sandbox, "local");
        assert_ne!(new, old.key);
        assert_eq!(row["state"], "rotated", "{rotated}");
        assert_eq!(row["method"], "self");
        assert_eq!(row["old_key_prefix"], old.prefix);
        let live = authority.live_keys(TENANT);
        assert_eq!(live, [row["new_key_prefix"].as_str().unwrap()]);
        assert!(new.starts_with(&live[0]));
        assert!(sandbox.read("logins.toml").contains(&live[0]));
        sandbox.assert_no_litter();
        let whoami = sandbox.ntro("auth whoami -o json").run().success();
        assert_eq!(whoami.json()["key_prefix"], live[0]);

        sandbox.redacting_key(&old, "OLD");
        sandbox.redacting(&live[0], "[FIRST]");
        let text = sandbox.ntro("auth rotate local").run().success();
        sandbox.redacting(&authority.live_keys(TENANT)[0], "[SECOND]");
        insta::allow_duplicates!(assert_snapshot!(sandbox.redact(&text), @r"
        exit code: 0
        ----- stdout -----
        ✓ `local`: [FIRST]… is replaced by [SECOND]…, and revoked
        "));
        assert!(!text.stdout.contains(&new) && !text.stderr.contains(&new));
    }
}

/// The server revokes the old key, so the command does not wait.
#[test]
fn old_key_lives_until_quiet() {
    for provider in Provider::ALL {
        let (authority, sandbox, old) = logged_in(provider);
        let line = "auth rotate --when-quiet 1h -o json";
        let rotated = sandbox.ntro(line).run().success().json();
        assert_eq!(rotated["state"], "until_quiet", "{rotated}");
        let new = rotated["new_key_prefix"].as_str().unwrap();
        assert!(stored(&sandbox, "local").starts_with(new));
        let live = authority.live_keys(TENANT);
        assert_eq!(live.len(), 2);
        assert!(live.contains(&new.to_owned()) && live.contains(&old.prefix));
        sandbox.assert_no_litter();
    }
}

#[test]
fn administrator_replaces_key_without_rights() {
    for provider in Provider::ALL {
        let authority = Authority::start();
        let mut sandbox = Sandbox::new();
        sandbox.make_identity();
        let key = authority.key_with(provider, TENANT, |new| {
            new.may_rotate = false;
            new.expires_in_days = Some(30);
        });
        login(&sandbox, "local", &authority.host(provider), &key.key);
        let refused = sandbox.ntro("auth rotate").run();
        match provider {
            Provider::Ntropii => refused.exits(2).complains("--api-key-stdin").done(),
            Provider::Ontora => refused.exits(4).complains("NTRO_ADMIN_TOKEN").done(),
        }
        assert_eq!(stored(&sandbox, "local"), key.key);
        sandbox.assert_no_litter();

        sandbox.set("NTRO_ADMIN_TOKEN", authority.admin_token());
        let row = sandbox.ntro("auth rotate -o json").run().success().json();
        assert_eq!(row["method"], "admin");
        let live = authority.live_keys(TENANT);
        assert_eq!(live, [row["new_key_prefix"].as_str().unwrap()]);
        let current = sandbox.ntro("key current -o json").run().success().json();
        assert!(current["expires_at"].is_string(), "{current}");
        // The new key must not have more permissions than the old one.
        sandbox.set("NTRO_ADMIN_TOKEN", "");
        let again = sandbox.ntro("auth rotate").run();
        assert_ne!(again.code, Some(0), "{again}");
        assert_eq!(authority.live_keys(TENANT), live);
    }
}

#[test]
fn key_made_elsewhere_replaces_old_one() {
    let (authority, sandbox, old) = logged_in(Provider::Ontora);
    let elsewhere = authority.key(Provider::Ontora, "globex-capital");
    let fewer = authority.key_with(Provider::Ontora, TENANT, |new| {
        new.scopes = vec![ntro_base::Scope::Mcp];
    });
    let give = |key: &str| sandbox.ntro("auth rotate --api-key-stdin").input(key).run();
    give(&old.key).exits(2).complains("stored already").done();
    give(&elsewhere.key).exits(9).complains("tenant").done();
    give(&fewer.key).exits(9).complains("scopes `*`").done();
    give("ont_live_nonsense").exits(4).done();
    assert_eq!(stored(&sandbox, "local"), old.key);
    sandbox.assert_no_litter();

    let new = authority.key(Provider::Ontora, TENANT);
    give(&new.key)
        .success()
        .says("and not revoked")
        .complains(&format!("{}… is still live", old.prefix))
        .done();
    assert_eq!(stored(&sandbox, "local"), new.key);
    assert!(authority.live_keys(TENANT).contains(&old.prefix));
    sandbox.assert_no_litter();
}

#[test]
fn walkthrough_asks_for_same_tenant() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let stub = Stub::ntropii(&["acme"]);
    let (old, new) = (
        "ntro_prod_good_aaaa_old_k9Zr4MxQ2bLw",
        "ntro_prod_good_bbbb_new_k9Zr4MxQ2bLw",
    );
    login(&sandbox, "local", &stub.host(), old);
    let mut terminal = Terminal::ntro(&sandbox, "auth rotate local");
    terminal
        .expect("makes no keys for `ntro`")
        .expect("New API key")
        .secret(old)
        .expect("stored already")
        .expect("New API key")
        .secret("ntro_prod_bad")
        .expect("rejected")
        .expect("New API key")
        .secret(new)
        .expect("still live: revoke it in the web application");
    terminal.end().exits(0).hides(new).hides(old).done();
    assert_eq!(stored(&sandbox, "local"), new);
    sandbox.assert_no_litter();

    // Ctrl-C changes nothing.
    let mut terminal = Terminal::ntro(&sandbox, "auth rotate local");
    terminal.expect("New API key").interrupt();
    terminal.end().exits(130).done();
    assert_eq!(stored(&sandbox, "local"), new);
    // Without a terminal nothing can be asked.
    let alone = sandbox.ntro("auth rotate").run();
    alone.exits(2).complains("--api-key-stdin").done();
}

#[test]
fn old_key_lives_during_grace() {
    let (authority, sandbox, old) = logged_in(Provider::Ntropii);
    let row = sandbox
        .ntro("auth rotate --grace 1h --no-wait -o json")
        .run()
        .success()
        .json();
    assert_eq!(row["state"], "in_grace");
    assert!(row["revoke_after"].is_string(), "{row}");
    let live = authority.live_keys(TENANT);
    assert_eq!(live.len(), 2);
    assert!(live.contains(&old.prefix));
    let new = stored(&sandbox, "local");
    assert_ne!(new, old.key);

    sandbox
        .ntro("doctor --offline")
        .run()
        .says("is not finished, the old key lives on until")
        .says("→ wait for it, or ntro auth rotate local --grace 0s")
        .done();
    // It is not over, and nothing was replaced again.
    let again = sandbox.ntro("auth rotate").run().success();
    again
        .says("already rotated: the old key")
        .says("lives until 20")
        .done();
    let status = sandbox.ntro("auth status").run().success();
    status.says("the old key lives until 20").done();
    let early = sandbox
        .ntro("auth rotate --no-wait -o json")
        .run()
        .success();
    assert_eq!(early.json()["state"], "in_grace");
    for command in [
        "auth logout local",
        "auth remove local",
        "auth rename local other",
        "auth migrate local --to plaintext",
        "auth login --name local --api-key-stdin --no-verify --store file",
    ] {
        let host = format!("--host {}", authority.host(Provider::Ntropii));
        let run = match command.contains("login") {
            true => sandbox.ntro(command).args(&host).input(&old.key).run(),
            false => sandbox.ntro(command).run(),
        };
        let refused = run.exits(9).complains("`ntro auth rotate local");
        match command.contains("migrate") {
            true => refused.done(),
            false => refused
                .complains(": its old key lives on until 20")
                .complains("`ntro auth rotate local --grace 0s` revokes it now")
                .done(),
        }
    }
    assert_eq!(stored(&sandbox, "local"), new);

    // `--grace 0s` ends the grace period.
    let done = sandbox
        .ntro("auth rotate --grace 0s -o json")
        .run()
        .success();
    assert_eq!(done.json()["state"], "finished");
    assert_eq!(authority.live_keys(TENANT).len(), 1);
    sandbox.assert_no_litter();
    // A short grace period is waited for.
    let waited = sandbox
        .ntro("auth rotate --grace 1s -o json")
        .run()
        .success();
    assert_eq!(waited.json()["state"], "rotated");
    assert_eq!(authority.live_keys(TENANT).len(), 1);
}

#[test]
fn next_run_continues_interrupted_grace() {
    let (authority, sandbox, _) = logged_in(Provider::Ontora);
    let mut terminal = Terminal::ntro(&sandbox, "auth rotate --grace 1h");
    terminal.expect("Ctrl-C leaves that to the next");
    // A second rotation is refused meanwhile.
    let second = sandbox.ntro("auth rotate").run();
    second
        .exits(9)
        .complains("another process is rotating")
        .done();
    terminal.interrupt();
    terminal
        .end()
        .exits(130)
        .shows("the new key is stored, and the old one is not revoked yet")
        .done();
    assert_eq!(authority.live_keys(TENANT).len(), 2);
    let done = sandbox.ntro("auth rotate --grace 0s").run();
    done.success().done();
    assert_eq!(authority.live_keys(TENANT).len(), 1);
    sandbox.assert_no_litter();
}

#[test]
fn fleet_rotation_continues_after_failure() {
    let authority = Authority::start();
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let tenants = ["acme", "globex", "initech"];
    for tenant in tenants {
        let key = authority.key(Provider::Ontora, tenant);
        login(
            &sandbox,
            tenant,
            &authority.host(Provider::Ontora),
            &key.key,
        );
        if tenant == "globex" {
            authority.revoke(&key);
        }
    }
    let young = sandbox
        .ntro("auth rotate --all --older-than 60d --yes -o json")
        .run()
        .exits(4);
    let states = |json: serde_json::Value| -> Vec<String> {
        let rows = json.as_array().unwrap().clone();
        let state = |row: &serde_json::Value| row["state"].as_str().unwrap().to_owned();
        rows.iter().map(state).collect()
    };
    assert_eq!(states(young.json()), ["skipped", "failed", "skipped"]);
    let plan = sandbox
        .ntro("auth rotate --all --dry-run -o json")
        .run()
        .exits(4);
    assert_eq!(states(plan.json()), ["due", "failed", "due"]);
    let old = authority.live_keys("acme");
    let all = sandbox.ntro("auth rotate --all -y -o json").run().exits(4);
    assert_eq!(states(all.json()), ["rotated", "failed", "rotated"]);
    assert_ne!(authority.live_keys("acme"), old);
    for tenant in ["acme", "initech"] {
        assert_eq!(authority.live_keys(tenant).len(), 1);
        assert!(stored(&sandbox, tenant).starts_with(&authority.live_keys(tenant)[0]));
    }
    let graced = sandbox
        .ntro("auth rotate --all --yes --grace 1s -o json")
        .run()
        .exits(4);
    assert_eq!(states(graced.json()), ["rotated", "failed", "rotated"]);
    assert_eq!(authority.live_keys("acme").len(), 1);
    sandbox.assert_no_litter();
}

#[test]
fn concurrently_stored_key_stays() {
    let authority = Authority::start();
    let faulty = Faulty::before(authority.address());
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let key = authority.key(Provider::Ontora, TENANT);
    let host = format!("http://{}", faulty.address());
    sandbox.log_in("--store plaintext --name local", &host, &key.key);
    // Fails the revocation of the old key only.
    faulty.plan(5, Fault::Dead, When::Before, true);
    let cut_off = sandbox.ntro("auth rotate").run();
    cut_off
        .exits(6)
        .complains("the new key is stored, and the old one is not revoked yet")
        .complains("`ntro auth rotate local` goes on from here")
        .done();
    assert!(faulty.heal().unwrap().contains("predecessor"));
    let new = stored(&sandbox, "local");

    let third = authority.key(Provider::Ontora, TENANT);
    sandbox.write_config(&sandbox.config().replace(&new, &third.key));
    sandbox
        .ntro("auth rotate")
        .run()
        .exits(9)
        .complains("neither its old key")
        .complains("--abandon")
        .done();
    assert_eq!(stored(&sandbox, "local"), third.key);
    sandbox
        .ntro("auth rotate local --abandon")
        .run()
        .success()
        .complains(&key.prefix)
        .done();
    sandbox.assert_no_litter();
    sandbox.ntro("auth rotate").run().success().done();
}

#[test]
fn key_forgotten_during_grace_is_named() {
    let (_authority, sandbox, old) = logged_in(Provider::Ntropii);
    let graced = sandbox.ntro("auth rotate --grace 1h --no-wait").run();
    graced.success().done();
    let forgotten = sandbox.ntro("auth rotate --abandon").run().success();
    assert!(forgotten.stderr.contains(&old.prefix), "{forgotten}");
    assert!(!forgotten.stderr.contains("one more"), "{forgotten}");
}

#[test]
fn unknown_connection_names_argument() {
    let (_authority, sandbox, _) = logged_in(Provider::Ntropii);
    for command in ["auth rotate nope", "auth logout nope --revoke"] {
        let refused = sandbox.ntro(command).run().exits(3);
        assert!(!refused.stderr.contains("--connection"), "{refused}");
        refused.complains("no connection `nope`").done();
    }
}

#[test]
fn key_in_variable_is_not_rotated() {
    let (authority, sandbox, key) = logged_in(Provider::Ntropii);
    sandbox
        .ntro("auth rotate")
        .env("NTRO_API_KEY", &key.key)
        .run()
        .exits(2)
        .complains("NTRO_API_KEY")
        .done();
    sandbox
        .ntro("auth rotate --host http://127.0.0.1:1")
        .run()
        .exits(2)
        .done();
    sandbox
        .ntro("auth rotate")
        .env("NTRO_TIMEOUT", "soon")
        .run()
        .exits(2)
        .done();
    assert_eq!(authority.live_keys(TENANT), [key.prefix]);
}

#[test]
fn unfinished_rotation_prevents_revocation() {
    let (authority, sandbox, _) = logged_in(Provider::Ontora);
    sandbox
        .ntro("auth rotate --grace 1h --no-wait")
        .run()
        .success()
        .done();
    let live = authority.live_keys(TENANT);
    for line in ["auth logout --revoke", "auth logout --all --revoke"] {
        let refused = sandbox.ntro(line).run().exits(9);
        refused.complains("is not finished").done();
        assert_eq!(authority.live_keys(TENANT), live, "{line}");
    }
    let all = sandbox.ntro("auth logout --all -o json").run().exits(9);
    let row = &all.json()[0];
    assert_eq!(
        (&row["connection"], &row["code"]),
        (&"local".into(), &"conflict".into()),
        "{all}"
    );
    assert!(
        row["had_key"].is_null() && row["message"].is_string(),
        "{all}"
    );
    sandbox.ntro("auth test").run().success().done();
}

#[test]
fn admin_token_goes_to_its_server() {
    let (authority, mut sandbox, _) = logged_in(Provider::Ntropii);
    let elsewhere = Stub::ntropii(&[TENANT]);
    let login = "--store plaintext --name elsewhere";
    sandbox.log_in(login, &elsewhere.host(), "ntro_good");
    // One admin token is not used for many servers.
    sandbox.set("NTRO_ADMIN_TOKEN", authority.admin_token());
    let all = sandbox.ntro("auth rotate --all --yes").run();
    all.complains("`NTRO_ADMIN_TOKEN` is not used with `--all`")
        .done();

    // The command of one connection is not run for another server.
    sandbox.set("NTRO_ADMIN_TOKEN", "");
    let config = sandbox.config();
    let command = "[connections.local]\nadmin_token_command = ['echo', 'a.b.c']";
    sandbox.write_config(&config.replace("[connections.local]", command));
    let edited = sandbox.config();
    let moved = edited.replace(&authority.host(Provider::Ntropii), &elsewhere.host());
    sandbox.write_config(&moved);
    let list = sandbox.ntro("-c local key list").run();
    list.exits(4).complains(&authority.origin()).done();
    sandbox.write_config(&edited);
    let again = "--store plaintext --name local --overwrite";
    sandbox.log_in(again, &elsewhere.host(), "ntro_good");
    assert!(!sandbox.config().contains("admin_token_command"));

    for request in elsewhere.seen() {
        let sent = request.key.unwrap_or_default();
        assert!(["", "ntro_good"].contains(&sent.as_str()), "{sent}");
    }
}

#[test]
#[ignore = "needs strace and unshare: run scripts/test"]
fn rotation_repeats_no_work() {
    let (authority, sandbox, old) = logged_in(Provider::Ontora);
    let log = sandbox.home().join("calls");
    // The process is not dumpable, so only root can trace it.
    sandbox
        .as_some_root("strace")
        .args("--follow-forks --quiet=all --output")
        .arg(&log)
        .arg("--trace=?open,openat,connect")
        .arg(env!("CARGO_BIN_EXE_ntro"))
        .args("auth rotate")
        .run()
        .success()
        .done();
    assert_ne!(stored(&sandbox, "local"), old.key);

    let text = std::fs::read_to_string(log).unwrap();
    let count = |words: &[&str]| {
        let calls = text.lines();
        let calls = calls.filter(|call| words.iter().all(|word| call.contains(word)));
        calls.count()
    };
    let host = authority.host(Provider::Ontora);
    let port = host.rsplit(':').next().unwrap().trim_end_matches('/');
    let connections = count(&["connect(", &format!("htons({port})")]);
    assert!((1..=2).contains(&connections), "{connections}: {text}");
    for (file, most) in [("config.toml\"", 2), ("logins.toml\"", 2)] {
        let reads = count(&["/.ntro/", file, "O_RDONLY"]);
        assert!((1..=most).contains(&reads), "{file}: {reads}: {text}");
    }
    // The identity is read only to decrypt the key file, once per decryption.
    assert_eq!(count(&["/.ntro/identity.txt\""]), 1, "{text}");
    // Plain `http` on this machine needs no certificates.
    assert_eq!(count(&["/etc/ssl/"]), 0, "{text}");
}

//! `ntro admin`, on a registry without a running server.

use std::path::Path;

use insta::assert_snapshot;

use crate::support::{Outcome, Sandbox};

const BOOKS: &str = "--database sqlite:registry/authority.db";

/// A home with a registry that has one tenant.
fn with_registry() -> Sandbox {
    let sandbox = Sandbox::new();
    for line in ["organisation create Acme", "tenant create acme"] {
        admin(&sandbox, line).success().done();
    }
    sandbox
}

fn admin(sandbox: &Sandbox, line: &str) -> Outcome {
    sandbox.ntro(&format!("admin {BOOKS} {line}")).run()
}

#[test]
fn missing_registry_is_refused() {
    let sandbox = Sandbox::new();
    assert_snapshot!(admin(&sandbox, "tenant list"), @r"
        exit code: 3
        ----- stderr -----
        error: there is no database `registry/authority.db`
          hint: name another one with `--database`, or create it with `ntro serve` or `ntro admin organisation create NAME`
        ");
    for line in [
        "organisation list",
        "tenant create acme",
        "tenant suspend acme",
        "tenant resume acme",
        "key list",
        "key create --tenant acme --provider ntropii",
        "key pause 3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f",
        "key resume 3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f",
        "key revoke 3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f",
        "policy show --tenant acme",
        "token",
    ] {
        let refused = admin(&sandbox, line).exits(3);
        refused
            .complains("no database `registry/authority.db`")
            .done();
    }
    assert!(!sandbox.home().join("registry").exists());
    admin(&sandbox, "organisation create Acme").success().done();
    admin(&sandbox, "tenant create acme").success().done();
    admin(&sandbox, "tenant list").success().says("acme").done();
}

/// Keys and tokens of proxies never look alike.
#[test]
fn proxy_environment_is_not_issued() {
    let sandbox = with_registry();
    let create = |env: &str| {
        let line = format!("key create --tenant acme --provider ntropii --env {env}");
        admin(&sandbox, &line)
    };
    create("px")
        .exits(2)
        .complains("the key environment `px` is reserved for the tokens of proxies")
        .done();
    create("pxy").success().says("ntro_pxy_").done();
}

#[test]
fn key_material_folder_is_named() {
    let mut sandbox = Sandbox::new();
    let create = admin(&sandbox, "organisation create Acme --key-material secrets");
    create.success().done();
    let is_file = |path: &str| sandbox.home().join(path).is_file();
    assert!(is_file("secrets/pepper") && is_file("secrets/issuer.pk8"));
    assert!(!is_file("registry/authority.db.private/pepper"));
    let refused = admin(&sandbox, "organisation list").exits(3);
    refused
        .complains("authority.db.private/pepper` is missing")
        .complains("`--key-material`")
        .done();
    sandbox.set("NTRO_KEY_MATERIAL", "secrets");
    let list = admin(&sandbox, "organisation list").success();
    list.says("Acme").done();
    admin(&sandbox, "token").success().done();
}

#[cfg(unix)]
#[test]
fn shared_key_material_folder_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = Sandbox::new();
    let secrets = sandbox.home().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = admin(&sandbox, "organisation create Acme --key-material secrets");
    refused
        .exits(3)
        .complains("other users can open the folder")
        .complains("chmod 700")
        .done();
    assert_eq!(std::fs::read_dir(&secrets).unwrap().count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn closed_stdout_revokes_new_key() {
    let sandbox = with_registry();
    for nowhere in ["/dev/full", "&-", "/dev/null"] {
        let script = format!(
            "'{}' admin {BOOKS} key create --tenant acme --provider ntropii >{nowhere}",
            env!("CARGO_BIN_EXE_ntro")
        );
        let shell = sandbox.program(Path::new("/bin/sh"));
        let refused = shell.arg("-c").arg(script).run().exits(1);
        let refused = refused.complains("cannot write to standard output: ");
        refused.complains("; the new key was revoked").done();
    }
    let keys = admin(&sandbox, "key list -o json").success().json();
    let keys = keys.as_array().unwrap();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| key["state"] == "revoked"), "{keys:?}");
}

#[test]
fn invalid_input_is_named() {
    let sandbox = with_registry();
    let run = |line: &str| sandbox.ntro(&format!("admin {BOOKS}")).args(line);
    assert_snapshot!(run("organisation create").arg("").transcript(), @r"
        exit code: 2
        ----- stderr -----
        error: invalid value '' for '<NAME>': the name is empty

        For more information, try '--help'.
        ");
    assert_snapshot!(run("key revoke nope").transcript(), @r"
        exit code: 2
        ----- stderr -----
        error: the key is named by neither its id nor its prefix
          hint: list both: `ntro admin key list`
        ");
}

#[test]
fn duplicate_organisation_conflicts() {
    let sandbox = with_registry();
    assert_snapshot!(sandbox.ntro(&format!("admin {BOOKS} organisation create Acme")).transcript(), @r"
        exit code: 9
        ----- stderr -----
        error: there is already an organisation with the name `Acme`
          hint: choose another one
        ");
    let list = admin(&sandbox, "organisation list -o json")
        .success()
        .json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn organisation_and_tenant_are_renamed() {
    let sandbox = with_registry();
    let renamed = admin(&sandbox, "organisation rename Acme Globex").success();
    renamed
        .says("the organisation `Acme` is now `Globex`")
        .done();
    let renamed = admin(&sandbox, "tenant rename acme Globex-Capital").success();
    renamed
        .says("the tenant `acme` is now called `Globex-Capital`, no longer `acme`")
        .done();
    let tenants = admin(&sandbox, "tenant list").success();
    tenants.says("Globex-Capital").says("Globex").done();
    admin(&sandbox, "token --organisation Globex")
        .success()
        .done();
    let gone = admin(&sandbox, "organisation rename Acme Initech").exits(1);
    gone.complains("Acme").done();
    admin(&sandbox, "organisation create Acme").success().done();
    let taken = admin(&sandbox, "organisation rename Acme globex").exits(9);
    taken
        .complains("an organisation with the name `Globex`")
        .done();
    let invalid = sandbox.ntro(&format!("admin {BOOKS} tenant rename acme"));
    invalid.arg("a\u{1b}b").run().exits(2).done();
}

#[test]
fn key_is_paused_and_resumed() {
    let sandbox = with_registry();
    let line = "key create --tenant acme --provider ntropii -o json";
    let made = admin(&sandbox, line).success().json();
    let prefix = made["key_prefix"].as_str().unwrap();
    for (change, state) in [("pause", "paused"), ("resume", "live")] {
        let changed = admin(&sandbox, &format!("key {change} {prefix}")).success();
        changed
            .says(&format!("{change}d the key `ntro admin`"))
            .done();
        let list = admin(&sandbox, "key list -o json").success().json();
        assert_eq!(list[0]["state"], state);
        assert_eq!(list[0]["paused_at"].is_null(), state == "live");
    }
    admin(&sandbox, &format!("key revoke {prefix}"))
        .success()
        .done();
    let refused = admin(&sandbox, &format!("key resume {prefix}")).exits(9);
    refused
        .complains("is revoked: it is neither paused nor resumed any more")
        .done();
}

#[test]
fn keys_of_a_person_are_revoked() {
    let sandbox = with_registry();
    let create = |owner: &str| {
        let line = format!("key create --tenant acme --provider ntropii {owner} -o json");
        admin(&sandbox, &line).success().json()
    };
    let made = create("--owner auth0|alice");
    assert_eq!(made["owner"], "auth0|alice");
    create("");
    let revoke = |line: &str| admin(&sandbox, &format!("key revoke {line}"));
    let unknown = revoke("--owner bob").exits(1);
    unknown
        .complains("the organisation has no member `bob`")
        .done();
    let revoked = revoke("--owner auth0|alice").success();
    revoked.says("revoked one key of `auth0|alice`").done();
    let again = revoke("--owner auth0|alice --tenant acme -o json");
    assert_eq!(again.success().json()["revoked"], serde_json::json!([]));
    let list = admin(&sandbox, "key list -o json").success().json();
    let states: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["state"])
        .collect();
    assert_eq!(states, ["live", "revoked"]);
    revoke("").exits(2).done();
    revoke("--owner bob ntro_prod_k9Zr4MxQ2bLw").exits(2).done();
}

#[test]
fn policy_limits_new_keys() {
    let sandbox = with_registry();
    let set = "policy set --tenant acme --longest-life-in-days 90 --allow-scope exports,mcp";
    let set = admin(&sandbox, set).success();
    set.says("replaced the policy of the tenant `acme`").done();
    assert_snapshot!(admin(&sandbox, "policy show --tenant acme"), @r"
        exit code: 0
        ----- stdout -----
        Life of new keys: at most 90 days
        Allowed scopes: exports, mcp
        ");
    let create = "key create --tenant acme --provider ontora --scope interviews";
    let refused = admin(&sandbox, create).exits(9);
    refused
        .complains("the policy of the tenant limits keys to 90 days")
        .complains("does not allow the scope `interviews`")
        .complains("`ntro admin policy show`")
        .done();
    let create = "key create --tenant acme --provider ontora --scope mcp --expires-in-days 90";
    admin(&sandbox, create).success().says("ont_live_").done();
    admin(&sandbox, "policy set --tenant acme").success().done();
    let policy = admin(&sandbox, "policy show --tenant acme -o json");
    let policy = policy.success().json();
    assert_eq!(policy["longest_life_in_days"], serde_json::Value::Null);
    assert_eq!(policy["expiry_required"], false);
    let unnamed = admin(&sandbox, "policy show").exits(2);
    unnamed.complains("a policy belongs to a tenant").done();
}

#[test]
fn key_is_revoked_by_prefix() {
    let sandbox = with_registry();
    let make = || {
        let line = "key create --tenant acme --provider ontora --scope interviews,exports -o json";
        admin(&sandbox, line).success().json()
    };
    let (first, second) = (make(), make());
    assert_eq!(
        first["scopes"],
        serde_json::json!(["interviews", "exports"])
    );
    let prefix = first["key_prefix"].as_str().unwrap();
    let revoked = admin(&sandbox, &format!("key revoke {prefix}")).success();
    revoked.says(prefix).done();
    // A whole key is named by its prefix, and not repeated.
    let whole = second["key"].as_str().unwrap();
    let revoked = admin(&sandbox, &format!("key revoke {whole}")).success();
    revoked.says(second["key_prefix"].as_str().unwrap()).done();
    let unknown = admin(&sandbox, "key revoke ont_live_000000000000").exits(1);
    unknown.complains("no key has this prefix").done();
    let keys = admin(&sandbox, "key list -o json").success().json();
    let keys = keys.as_array().unwrap();
    assert!(keys.iter().all(|key| key["state"] == "revoked"), "{keys:?}");
}

#[test]
fn database_may_be_a_path() {
    let sandbox = with_registry();
    let path = sandbox.home().join("registry/authority.db");
    let line = format!("admin tenant list --database {}", path.display());
    sandbox.ntro(&line).run().success().says("acme").done();
    let line = "admin tenant list --database";
    let refused = sandbox.ntro(line).arg("~/t.db").run().exits(2);
    refused.complains("`~` is not expanded there").done();
    assert!(!sandbox.home().join("~").exists());
}

#[test]
fn database_alone_is_no_backup() {
    let sandbox = with_registry();
    let registry = sandbox.home().join("registry");
    let copy = sandbox.home().join("copy.db");
    std::fs::copy(registry.join("authority.db"), &copy).unwrap();
    let list = "admin tenant list --database copy.db";
    let refused = sandbox.ntro(list).run().exits(3);
    refused
        .complains("copy.db.private/pepper` is missing")
        .complains("a copy or a backup needs this folder too")
        .done();
    let folder = sandbox.home().join("copy.db.private");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["pepper", "issuer.pk8"] {
        let from = registry.join("authority.db.private").join(name);
        std::fs::copy(from, folder.join(name)).unwrap();
    }
    sandbox.ntro(list).run().success().says("acme").done();
}

//! `ntro admin audit`, and what another program makes of it.

use std::path::Path;

use serde_json::Value;

use crate::support::{Clients, Outcome, Sandbox};

const DATABASE: &str = "registry/authority.db";

/// A home with a registry whose tenant has a log of three entries, with a checkpoint of them.
struct Registry {
    sandbox: Sandbox,
}

impl Registry {
    fn new() -> Self {
        let registry = Self {
            sandbox: Sandbox::new(),
        };
        for line in [
            "organisation create Acme",
            "tenant create acme",
            "key create --provider ntropii -t acme --name one",
            "key create --provider ntropii -t acme --name two",
        ] {
            registry.admin(line).success().done();
        }
        registry
    }

    fn admin(&self, line: &str) -> Outcome {
        self.admin_on(DATABASE, line)
    }

    fn admin_on(&self, database: &str, line: &str) -> Outcome {
        let line = format!("admin --database sqlite:{database} {line}");
        self.sandbox.ntro(&line).run()
    }

    /// Writes what a command prints into a file of the home.
    fn save(&self, file: &str, outcome: &Outcome) {
        std::fs::write(self.sandbox.home().join(file), &outcome.stdout).unwrap();
    }

    /// Returns the public key of the tenant's log.
    fn key(&self) -> String {
        let printed = self.admin("audit checkpoint -t acme -o json").success();
        let key = printed.json()[0]["verifier_key"]
            .as_str()
            .map(str::to_owned);
        key.unwrap()
    }

    /// Copies the database and its key material.
    fn copy(&self, to: &str) {
        let home = self.sandbox.home();
        let copied = self
            .sandbox
            .program(Path::new("/bin/sh"))
            .arg("-c")
            .arg(format!("mkdir {to} && cp -r registry/authority.db* {to}/"));
        copied.run().success().done();
        assert!(home.join(to).join("authority.db").is_file());
    }

    /// Runs the independent verifier.
    fn verifier(&self, clients: &Clients, arguments: &[&str]) -> Outcome {
        let run = clients.python(&self.sandbox, "audit_log.py");
        arguments
            .iter()
            .fold(run, |run, argument| run.arg(argument))
            .run()
    }
}

fn faults(verification: &Value) -> Vec<&str> {
    let logs = verification["logs"].as_array().unwrap();
    logs.iter()
        .flat_map(|log| log["faults"].as_array().unwrap())
        .map(|fault| fault.as_str().unwrap())
        .collect()
}

#[test]
fn verification_names_every_log() {
    let registry = Registry::new();
    let tenants = registry.admin("tenant list -o json").success().json();
    let id = |member: &str| tenants[0][member].as_str().unwrap().to_owned();
    let (tenant, owner) = (id("id"), id("organisation_id"));
    let key = registry.key();
    assert!(
        key.starts_with(&format!("ntro-audit/tenant/{tenant}+")),
        "{key}"
    );
    let verified = registry.admin("audit verify").success();
    verified
        .says(&format!("✓ organisation/{owner}: 1 entry, as signed\n"))
        .says(&format!(
            "✓ tenant/{tenant}: 3 entries, all as signed\n  key {key}\n"
        ))
        .done();
    let verified = registry.admin("audit verify --organisation Acme -o json");
    let logs = verified.success().json()["logs"].clone();
    assert_eq!(logs.as_array().unwrap().len(), 1);
    assert_eq!(logs[0]["log"], format!("organisation/{owner}"));
    assert_eq!(logs[0]["faults"], serde_json::json!([]));
    let both = registry
        .admin("audit verify -t acme --organisation Acme")
        .exits(2);
    both.complains("give either `--tenant` or `--organisation`")
        .done();
    let none = registry.admin("audit verify --checkpoint none").exits(1);
    none.complains("there is no file `none`").done();
}

#[test]
fn export_has_one_line_for_each_event() {
    let registry = Registry::new();
    let exported = registry.admin("audit export -t acme").success();
    let actions: Vec<_> = exported
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["action"].clone())
        .collect();
    assert_eq!(actions, ["tenant.create", "key.create", "key.create"]);
    let all = registry.admin("audit export").success();
    assert_eq!(all.stdout.lines().count(), 4);
    assert!(all.stdout.ends_with(&exported.stdout));
    let unknown = registry.admin("audit prove 99").exits(1);
    unknown
        .complains("there is no audit event with the id 99")
        .complains("ntro admin audit export")
        .done();
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn independent_verifier_agrees() {
    let clients = Clients::find();
    let registry = Registry::new();
    let key = registry.key();
    let check = |arguments: &[&str]| registry.verifier(&clients, arguments);
    registry.save("proof", &registry.admin("audit prove 3").success());
    let proved = check(&["proof", &key, "proof"]).success();
    assert_eq!(proved.stdout, "entry 1 of 3: key.create\n");
    registry.save("old", &registry.admin("audit checkpoint -t acme").success());
    registry.save("lines", &registry.admin("audit export -t acme").success());
    let exported = check(&["export", &key, "old", "lines"]).success();
    exported
        .says("3 of 3 lines are those of the checkpoint")
        .done();
    // The log grows, and a tile is completed.
    for _ in 0..4 {
        registry
            .admin("key create --provider ntropii -t acme")
            .success()
            .done();
    }
    registry.save("new", &registry.admin("audit checkpoint -t acme").success());
    let verified = registry.admin("audit verify --checkpoint old --checkpoint proof -o json");
    let verified = verified.success().json();
    let log = &verified["logs"][1];
    assert_eq!(log["consistency"].as_array().unwrap().len(), 2);
    let path = log["consistency"][0]["path"].as_array().unwrap();
    let path: Vec<_> = path.iter().map(|hash| hash.as_str().unwrap()).collect();
    std::fs::write(registry.sandbox.home().join("path"), path.join("\n")).unwrap();
    let continued = check(&["consistency", &key, "old", "new", "path"]).success();
    continued.says("7 entries continue 3").done();
    registry.save("lines", &registry.admin("audit export -t acme").success());
    let exported = check(&["export", &key, "old", "lines"]).success();
    exported
        .says("3 of 7 lines are those of the checkpoint")
        .done();
    // Another key has not signed it.
    let other = Registry::new().key();
    check(&["proof", &other, "proof"]).exits(1).done();
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn tampering_is_found_by_both() {
    let clients = Clients::find();
    for (sql, ours, theirs) in [
        (
            "UPDATE audit SET details = replace(details, 'one', 'six')",
            "the row 3 of entry 1 was changed",
            "the lines are not those of the checkpoint",
        ),
        (
            "UPDATE audit SET id = -1 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 4; \
             UPDATE audit SET id = 4 WHERE id = -1",
            "the row 3 of entry 1 was changed",
            "the lines are not those of the checkpoint",
        ),
        (
            "DELETE FROM audit WHERE id = 4; DELETE FROM audit_hashes WHERE event = 4; \
             UPDATE audit_logs SET size = 2, edge = zeroblob(32) WHERE size = 3",
            "the log was truncated: it has 2 entries, its last checkpoint has 3",
            "truncated: 2 lines, the checkpoint has 3",
        ),
    ] {
        let registry = Registry::new();
        let key = registry.key();
        registry.save(
            "kept",
            &registry.admin("audit checkpoint -t acme").success(),
        );
        let tampered = registry.verifier(&clients, &["tamper", DATABASE, sql]);
        tampered.success().done();
        let verified = registry.admin("audit verify -o json").exits(1).json();
        assert!(faults(&verified).contains(&ours), "{sql}: {verified}");
        registry.save("lines", &registry.admin("audit export -t acme").success());
        let refused = registry.verifier(&clients, &["export", &key, "kept", "lines"]);
        refused.exits(1).complains(theirs).done();
    }
    // A deleted row leaves a hole that no export hides.
    let registry = Registry::new();
    let deleted = registry.verifier(
        &clients,
        &["tamper", DATABASE, "DELETE FROM audit WHERE id = 3"],
    );
    deleted.success().done();
    let verified = registry.admin("audit verify").exits(1);
    verified.says("the row of entry 1 was deleted").done();
    let refused = registry.admin("audit export -t acme").exits(1);
    refused.complains("the row of entry 1 was deleted").done();
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn backup_forks_are_found_by_both() {
    let clients = Clients::find();
    let registry = Registry::new();
    let key = registry.key();
    registry.copy("backup");
    let line = "key create --provider ntropii -t acme";
    registry.admin(line).success().done();
    registry.save(
        "kept",
        &registry.admin("audit checkpoint -t acme").success(),
    );
    let verify = "audit verify -t acme --checkpoint kept";
    registry
        .admin(verify)
        .success()
        .says("it continues the 4 entries of `kept`")
        .done();
    let on_backup = |line: &str| registry.admin_on("backup/authority.db", line);
    // The backup by itself is consistent: only the kept checkpoint shows that it is older.
    on_backup("audit verify").success().done();
    let truncated = on_backup(verify).exits(1);
    truncated
        .says("the log was truncated: it has 3 entries, `kept` has 4")
        .done();
    registry.save("lines", &on_backup("audit export -t acme").success());
    let arguments = ["export", &key, "kept", "lines"];
    let refused = registry.verifier(&clients, &arguments).exits(1);
    refused
        .complains("truncated: 3 lines, the checkpoint has 4")
        .done();
    on_backup(line).success().done();
    on_backup("audit verify").success().done();
    let forked = on_backup(verify).exits(1);
    forked
        .says("the log was forked: its first 4 entries are not those of `kept`")
        .done();
    registry.save("lines", &on_backup("audit export -t acme").success());
    let refused = registry.verifier(&clients, &arguments).exits(1);
    refused
        .complains("the lines are not those of the checkpoint")
        .done();
}

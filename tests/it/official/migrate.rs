//! Importing keys of the official clients: their state before and after.

use ntro_base::Provider;
use serde_json::json;

use super::{Stage, TENANT};

/// The official `ontora` works with its file, and after the import with the variable that we name.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn ontora_needs_variable_after_import() {
    let stage = Stage::new();
    let sandbox = &stage.sandbox;
    sandbox.make_identity();
    let key = stage.authority.key(Provider::Ontora, TENANT);
    let host = stage.host(Provider::Ontora);
    stage
        .clients
        .ontora(sandbox, &format!("auth login --api-key {}", key.key))
        .args(&format!("--base-url {host} --workspace {}", key.tenant_id))
        .run()
        .success()
        .done();
    let ontora = || stage.clients.ontora(sandbox, "auth status");
    ontora().run().success().says("Connected.").done();
    let written = sandbox.contents()[".ontora/config.yaml"].clone();
    let written = String::from_utf8(written).unwrap();

    let kept = sandbox.ntro("auth migrate --ontora --keep --to file").run();
    kept.success().done();
    ontora().run().success().says("Connected.").done();

    let moved = sandbox
        .ntro("auth migrate --ontora --to file -o json")
        .run();
    let moved = moved.success().complains("ONTORA_API_KEY");
    let row = &moved.json()[0];
    assert_eq!(row["connection"], "ontora");
    assert_eq!(row["from"], json!(["ontora"]));
    assert_eq!(row["result"], "moved");
    let left = String::from_utf8(sandbox.contents()[".ontora/config.yaml"].clone()).unwrap();
    assert_eq!(left, written.replace(&key.key, "\"\""));
    sandbox.assert_files_without(&key.key);

    ontora().run().exits(1).says("No API key configured").done();
    ontora()
        .env("ONTORA_API_KEY", &key.key)
        .run()
        .success()
        .says("Connected.")
        .says(&format!("Default workspace: {}", key.tenant_id))
        .done();
    sandbox
        .ntro("auth whoami -c ontora -o json")
        .run()
        .success()
        .says(&key.tenant_id)
        .done();
    // Its next login stores another key there.
    let other = stage.authority.key(Provider::Ontora, TENANT);
    stage
        .clients
        .ontora(sandbox, &format!("auth login --api-key {}", other.key))
        .run()
        .success()
        .done();
    sandbox
        .ntro("auth migrate --ontora --to file")
        .run()
        .exits(9)
        .complains(&key.prefix)
        .complains(&other.prefix)
        .done();
}

/// A connection of the official `ntro-cli`, whose entry has no keys of ours.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn imported_connection_survives_official_save() {
    let stage = Stage::new();
    let sandbox = &stage.sandbox;
    sandbox.make_identity();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    let official = |line: &str| stage.clients.ntro(sandbox, line);
    official("auth test").run().success().done();

    let moved = sandbox.ntro("auth migrate --all --to file -o json").run();
    let rows = moved.success().complains("NTRO_API_KEY").json();
    let row = |name: &str| {
        let rows = rows.as_array().unwrap().iter();
        rows.clone()
            .find(|row| row["connection"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(row("selfhost")["result"], "moved");
    assert_eq!(row("selfhost")["from"], json!(["plaintext"]));
    // The seed of the official login has a key for `local` and none for `production`.
    assert_eq!(row("local")["result"], "moved");
    assert_eq!(row("production")["result"], "no_key");
    sandbox.assert_files_without(&key.key);
    sandbox
        .ntro("auth whoami")
        .run()
        .success()
        .says(&key.id)
        .done();

    official("auth test").run().exits(1).done();
    official("auth test")
        .env("NTRO_API_KEY", &key.key)
        .run()
        .success()
        .done();
    // Its save drops all keys of ours from the file; the connection stays logged in.
    official("auth set-default local").run().success().done();
    assert!(!sandbox.config().contains("store"));
    sandbox
        .ntro("auth whoami -c selfhost")
        .run()
        .success()
        .says(&key.id)
        .done();
}

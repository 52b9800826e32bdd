//! The official clients against `ntro dev`, as a new user would try them.

use serde_json::json;

use super::TENANT;
use crate::support::{Clients, Dev, Sandbox};

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn dev_keys_work_with_official_clients() {
    let clients = Clients::find();
    let sandbox = Sandbox::new();
    let dev = Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]);
    let origin = dev.origin();
    let token = |connection: &str| {
        let run = sandbox.ntro(&format!("-c {connection} auth token")).run();
        run.success().stdout.trim_end().to_owned()
    };
    let (ntropii, ontora) = (token("local"), token("local-ontora"));

    // A separate machine, since the keys here are in our encrypted file.
    let other = Sandbox::new();
    let run = |line: &str| clients.ntro(&other, line).run().success();
    let login = format!("auth login --no-interactive --host {origin}/v1 --api-key {ntropii}");
    run(&login).done();
    run("auth test").says("✓ Connected as").done();
    assert_eq!(run("-o json tenant list").json()[0]["slug"], TENANT);
    let client = json!({"host": format!("{origin}/v1"), "api_key": ntropii});
    let calls = json!([["identity.whoami_sync"]]);
    let sdk = clients.python(&other, "sdk.py");
    let sdk = sdk.input(json!({"client": client, "calls": calls}).to_string());
    let answers = sdk.run().success().json();
    assert_eq!(answers[0]["result"]["name"], "ntro dev: local");
    clients
        .ontora(&other, "auth status")
        .env("ONTORA_API_KEY", &ontora)
        .env("ONTORA_BASE_URL", origin)
        .run()
        .success()
        .says("Scopes: *")
        .done();

    dev.stop();
}

//! The official clients against `ntro dev`, as a new user would try them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::TENANT;
use crate::support::{Clients, Sandbox};

/// A process that is killed when this is dropped.
struct Bounded(Child);

impl Drop for Bounded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn dev_keys_work_with_official_clients() {
    let clients = Clients::find();
    let sandbox = Sandbox::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
    sandbox.prepare(&mut command);
    let process = command
        .args(["dev", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut process = Bounded(process);
    let mut lines = BufReader::new(process.0.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let origin = line.strip_prefix("✓ authority on ").unwrap();
    let origin = origin.split_whitespace().next().unwrap();
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

    kill_process(Pid::from_child(&process.0), Signal::INT).unwrap();
    assert!(process.0.wait().unwrap().success());
}

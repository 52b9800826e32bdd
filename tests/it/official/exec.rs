//! The official clients under `ntro exec`, with keys that they cannot read, and a proxy that
//! answers nothing.

use std::path::Path;

use ntro_base::Provider;
use serde_json::{Value, json};

use super::{Stage, TENANT};
use crate::support::{IssuedKey, Run};

/// A port that nothing listens on.
const DEAD: &str = "http://127.0.0.1:9";

const EXECS: [&str; 5] = [
    "exec",
    "exec --mask",
    "exec --keyless --seal off",
    "exec --keyless",
    "exec --keyless --seal net",
];

/// Prepares a client under `exec` with this connection.
fn under<'a>(stage: &'a Stage, exec: &str, connection: &str, client: &str) -> Run<'a> {
    let run = stage.sandbox.ntro(&format!("{exec} -c {connection} --"));
    with_dead_proxy(exec, run).arg(stage.clients.path(client))
}

/// Sets a proxy of the user that does not answer. A keyless program calls without it by itself.
fn with_dead_proxy<'a>(exec: &str, run: Run<'a>) -> Run<'a> {
    let exceptions = match exec.contains("keyless") {
        true => "internal.example",
        false => "127.0.0.1,localhost",
    };
    [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
    ]
    .into_iter()
    .fold(run, |run, name| run.env(name, DEAD))
    .env("NO_PROXY", exceptions)
    // Node reads these variables only with this one.
    .env("NODE_USE_ENV_PROXY", "1")
}

/// Keys in the encrypted file, which no client but `ntro` can read.
fn with_keys() -> (Stage, IssuedKey, IssuedKey) {
    let stage = Stage::new();
    stage.sandbox.make_identity();
    let key = stage.key();
    stage.our_login("acme", "file", &key, Provider::Ntropii);
    let ontora = stage.authority.key(Provider::Ontora, TENANT);
    stage.our_login("globex", "file", &ontora, Provider::Ontora);
    stage.witness.take();
    (stage, key, ontora)
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn sdk_runs_in_exec() {
    let (stage, key, _) = with_keys();
    let request = json!({
        "connection": null,
        "calls": [["identity.whoami_sync"], ["tenants.get_sync", TENANT]],
    });
    for exec in EXECS {
        let program = crate::support::project("tests/clients/sdk.py");
        let run = under(&stage, exec, "acme", "python").arg("-I").arg(program);
        let answers = run.input(request.to_string()).run().success().json();
        assert_eq!(answers[0]["result"]["id"], key.id, "{answers}");
        assert_eq!(answers[1]["result"]["slug"], TENANT);
    }
    stage.sandbox.assert_nowhere(&key.key);
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn mcp_server_runs_in_exec() {
    let (stage, key, _) = with_keys();
    let calls = json!([["call_tool", "ntro_whoami", {}]]);
    for exec in EXECS {
        let program = crate::support::project("tests/clients/mcp_session.py");
        let run = stage.sandbox.program(&stage.clients.path("python"));
        let run = run.arg("-I").arg(program).arg(env!("CARGO_BIN_EXE_ntro"));
        let run = run.args(&format!("{exec} -c acme --"));
        let run = with_dead_proxy(exec, run.arg(stage.clients.path("ntro-mcp")));
        let answers: Value = run.input(calls.to_string()).run().success().json();
        let text = answers[1]["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(&key.id), "{answers}");
    }
    stage.sandbox.assert_nowhere(&key.key);
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn ontora_runs_in_exec() {
    let (stage, _, key) = with_keys();
    for exec in EXECS {
        let run = under(&stage, exec, "globex", "ontora");
        run.args("auth status")
            .run()
            .success()
            .says(&format!("API key workspace: {}", key.tenant_id))
            .done();
    }
    stage.sandbox.assert_nowhere(&key.key);
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn ntro_cli_runs_keyless() {
    let (stage, key, _) = with_keys();
    for exec in EXECS.iter().filter(|exec| exec.contains("keyless")) {
        let run = under(&stage, exec, "acme", "ntro");
        let outcome = run.args("-o json auth whoami").run().success();
        assert_eq!(outcome.json()["id"], key.id, "{exec}");
    }
    stage.sandbox.assert_nowhere(&key.key);
}

#[test]
#[ignore = "needs the official clients, curl and node: run scripts/test"]
fn http_programs_run_in_exec() {
    const CURL: &str = "curl -sS -H \"Authorization: Bearer $NTRO_API_KEY\" $NTRO_HOST/me";
    const FETCH: &str = "
        const headers = {authorization: 'Bearer ' + process.env.NTRO_API_KEY};
        fetch(process.env.NTRO_HOST + '/me', {headers}).then(r => r.text()).then(console.log)";
    const GET: &str = "
        import os
        headers = {'Authorization': 'Bearer ' + os.environ['NTRO_API_KEY']}
        print(get(os.environ['NTRO_HOST'] + '/me', headers=headers).text)";
    let (stage, key, _) = with_keys();
    let get = GET.replace("\n        ", "\n");
    let httpx = format!("from httpx import get{get}");
    // As pip brings it.
    let requests = format!("from pip._vendor.requests import get{get}");
    let python = stage.clients.path("python");
    let programs: [(&Path, &str, &str); 4] = [
        (Path::new("sh"), "-c", CURL),
        (Path::new("node"), "-e", FETCH),
        (&python, "-c", &httpx),
        (&python, "-c", &requests),
    ];
    for exec in EXECS {
        for (program, option, text) in programs {
            let run = stage.sandbox.ntro(&format!("{exec} -c acme --"));
            let run = with_dead_proxy(exec, run)
                .arg(program)
                .arg(option)
                .arg(text);
            assert_eq!(run.run().success().json()["id"], key.id, "{exec} {text}");
        }
    }
    stage.sandbox.assert_nowhere(&key.key);
}

/// It takes the key of its configuration wherever `NTRO_HOST` is set: `docs/exec.md`.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn ntro_cli_ignores_key_in_exec() {
    let (stage, key, _) = with_keys();
    let run = under(&stage, "exec", "acme", "ntro");
    run.args("auth test")
        .run()
        .exits(1)
        .complains("HTTP 401")
        .done();
    let seen = stage.witness.take();
    assert_eq!(seen[0].header("authorization"), None);
    // With its own configuration it works.
    let host = stage.host(Provider::Ntropii);
    stage.official_login_to("own", &host, &key.key, TENANT);
    stage
        .clients
        .ntro(&stage.sandbox, "-c own auth test")
        .run()
        .success()
        .done();
}

//! `NTRO_TIMEOUT`: the time limit for calls to a server.

use std::time::{Duration, Instant};

use crate::support::{Outcome, Reply, Sandbox, Stub};

/// Every command that calls a server and reads the variable. `auth status` has its own option, and
/// `auth rotate` is tested together with its faults.
const CALLS: [&str; 8] = [
    "auth whoami",
    "auth test",
    "auth login --name new --store plaintext --api-key-stdin --host",
    "auth logout --revoke",
    "tenant list",
    "key current",
    "key list",
    "doctor",
];

/// The default limit of a call.
const USUAL: Duration = Duration::from_secs(30);

fn home(stub: &Stub) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.write_config(&format!(
        "default_connection_name = \"acme\"\n[connections.acme]\nhost = \"{}\"\napi_key = \"ntro_prod_good\"\n",
        stub.host()
    ));
    sandbox.set("NTRO_ADMIN_TOKEN", "a.b.c");
    sandbox
}

fn call(sandbox: &Sandbox, stub: &Stub, line: &str, timeout: &str) -> Outcome {
    let mut run = sandbox.ntro(line).env("NTRO_TIMEOUT", timeout);
    if line.ends_with("--host") {
        run = run.arg(stub.host()).input("ntro_prod_good");
    }
    run.run()
}

#[test]
fn silent_server_times_out() {
    let stub = Stub::start(|_| Reply::Silence);
    let sandbox = home(&stub);
    for line in CALLS {
        let (start, before) = (Instant::now(), stub.seen().len());
        let run = call(&sandbox, &stub, line, "0.2");
        let output = format!("{}{}", run.stdout, run.stderr);
        assert!(output.contains("`NTRO_TIMEOUT`"), "{line}: {run}");
        assert!(start.elapsed() < USUAL, "{line}: {run}");
        assert!(stub.seen().len() > before, "{line}: {run}");
        if line != "doctor" {
            run.exits(6).done();
        }
    }
}

#[test]
fn invalid_timeout_fails_before_call() {
    let stub = Stub::start(|_| Reply::Silence);
    let sandbox = home(&stub);
    for line in CALLS {
        let run = call(&sandbox, &stub, line, "soon");
        let output = format!("{}{}", run.stdout, run.stderr);
        assert!(
            output.contains("the variable `NTRO_TIMEOUT` is not a number of seconds above 0"),
            "{line}: {run}"
        );
        // `doctor` reports it as a finding and continues.
        run.exits(if line == "doctor" { 1 } else { 2 }).done();
    }
    assert!(stub.seen().is_empty());
}

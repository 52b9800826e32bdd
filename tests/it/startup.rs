//! The system calls of a command that needs neither a store nor the network.

use std::collections::BTreeSet;

use crate::support::Sandbox;

/// Runs `ntro` and returns its calls that open files or create threads or sockets, one per line.
fn calls(sandbox: &Sandbox, arguments: &str) -> Vec<String> {
    let log = sandbox.home().join("calls");
    // The process is not dumpable, so only root can trace it.
    sandbox
        .as_some_root("strace")
        .args("--follow-forks --quiet=all --output")
        .arg(&log)
        .arg("--trace=?open,openat,?clone,?clone3,?fork,?vfork,socket,connect")
        .arg(env!("CARGO_BIN_EXE_ntro"))
        .args(arguments)
        .run()
        .success()
        .done();
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The names of files below the home that were looked up.
fn looked_for(sandbox: &Sandbox, calls: &[String]) -> BTreeSet<String> {
    let home = format!("\"{}/", sandbox.home().display());
    calls
        .iter()
        .filter_map(|call| call.split(&home).nth(1)?.split('"').next())
        .map(str::to_owned)
        .collect()
}

#[test]
#[ignore = "needs strace and unshare: run scripts/test"]
fn list_uses_one_thread_without_socket() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.log_in(
        "--no-verify --store file",
        "http://localhost:1/v1",
        "ntro_prod_good",
    );
    let ours = BTreeSet::from([".ntro/config.toml", ".ntro/logins.toml", ".ntro.toml"]);
    for (line, files) in [
        ("auth list", &ours),
        ("auth list -o json", &ours),
        ("auth explain", &ours),
        ("--version", &BTreeSet::new()),
        ("--help", &BTreeSet::new()),
        ("auth login --help", &BTreeSet::new()),
        ("completions bash", &BTreeSet::new()),
    ] {
        let calls = calls(&sandbox, line);
        for call in &calls {
            let made = ["clone", "fork", "socket(", "connect("].iter();
            let made = made.filter(|name| call.contains(*name)).count();
            assert_eq!(made, 0, "{line}: {call}");
        }
        let files: BTreeSet<_> = files.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(looked_for(&sandbox, &calls), files, "{line}");
    }
}

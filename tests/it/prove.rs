//! `ntro prove`: the attempts in the box of a keyless program, as root and as an ordinary user.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ntro_base::Provider;
use serde_json::Value;

use crate::process::PlainUser;
use crate::support::{Authority, IssuedKey, Outcome, Sandbox};

/// A connection whose key is in the encrypted file.
fn logged_in() -> (Authority, Sandbox, IssuedKey) {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let host = authority.host(Provider::Ntropii);
    sandbox.log_in("--name acme --store file", &host, &key.key);
    (authority, sandbox, key)
}

/// Returns the names of the attempts with this outcome.
fn with_outcome(report: &Value, outcome: &str) -> Vec<String> {
    let attempts = report["attempts"].as_array().unwrap().iter();
    attempts
        .filter(|attempt| attempt["outcome"] == outcome)
        .map(|attempt| format!("{} ({})", name(attempt), attempt["why"]))
        .collect()
}

fn name(attempt: &Value) -> &str {
    attempt["name"].as_str().unwrap()
}

/// Asserts the outcome of all attempts of a group, and returns their number.
#[track_caller]
fn assert_group(report: &Value, group: &str, outcome: &str) -> usize {
    let attempts = report["attempts"].as_array().unwrap();
    let of_group = attempts.iter().filter(|it| name(it).starts_with(group));
    let of_group: Vec<_> = of_group.collect();
    for attempt in &of_group {
        assert_eq!(attempt["outcome"], outcome, "{attempt}");
    }
    of_group.len()
}

/// Asserts what a box with a seal comes to.
#[track_caller]
fn assert_sealed(report: &Value) {
    assert_eq!(with_outcome(report, "succeeded"), [""; 0]);
    assert!(with_outcome(report, "refused").len() >= 45, "{report:#}");
    assert_eq!(assert_group(report, "proxy: ", "refused"), 14);
    assert_eq!(assert_group(report, "command: ", "refused"), 2);
}

#[test]
fn sealed_attempts_are_refused() {
    let (_authority, sandbox, key) = logged_in();
    let before = sandbox.contents();
    for line in ["prove", "prove --seal store -c acme", "prove --seal net"] {
        let outcome = sandbox.ntro(line).args("-o json").run().success();
        assert_eq!(outcome.stderr, "", "{line}");
        let report = outcome.json();
        assert_sealed(&report);
        let network = if line.contains("net") {
            "refused"
        } else {
            "not_tried"
        };
        assert_eq!(assert_group(&report, "network: ", network), 2);
        assert_eq!(sandbox.contents(), before, "{line}");
    }
    sandbox.assert_nowhere(&key.key);
}

#[test]
fn ordinary_user_is_sealed() {
    let (_authority, sandbox, _) = logged_in();
    let user = PlainUser::new(&sandbox);
    for options in [&["-o", "json"][..], &["-o", "json", "--seal", "net"]] {
        let mut command = user.command(&user.ntro);
        command.arg("prove").args(options).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_sealed(&serde_json::from_slice(&output.stdout).unwrap());
    }
}

#[test]
fn open_box_fails() {
    let (_authority, sandbox, key) = logged_in();
    let outcome = sandbox.ntro("prove --seal off -o json").run().exits(1);
    let report = outcome.json();
    let succeeded = with_outcome(&report, "succeeded");
    assert!(succeeded.len() >= 30, "{report:#}");
    assert_eq!(assert_group(&report, "command: ", "succeeded"), 2);
    assert_eq!(assert_group(&report, "file: folder", "succeeded"), 1);
    // The proxy does not need the seal.
    assert_eq!(assert_group(&report, "proxy: ", "refused"), 14);
    sandbox.assert_nowhere(&key.key);

    let text = sandbox.ntro("prove --seal off").run().exits(1).stdout;
    assert!(text.contains("✗ folder of ntro: succeeded\n"), "{text}");
    let end = "→ seal keyless programs: leave out `--seal off`\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn text_fits_terminal() {
    let (_authority, sandbox, _) = logged_in();
    let run = sandbox.ntro("prove").env("COLUMNS", "80");
    let text = run.run().success().stdout;
    assert!(text.starts_with("file\n✓ folder of ntro\n"), "{text}");
    assert!(
        text.contains("\nproxy\n✓ no token\n✓ wrong token\n"),
        "{text}"
    );
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let summary = text.lines().last().unwrap();
    assert!(summary.contains(" refused, 0 succeeded, "), "{summary}");
}

#[test]
fn program_is_one_more_attempt() {
    let (_authority, sandbox, _) = logged_in();
    let last = |outcome: &Outcome| {
        let report = outcome.json();
        let attempt = report["attempts"].as_array().unwrap().last().unwrap();
        (name(attempt).to_owned(), attempt["outcome"].clone())
    };
    let read = "cat \"$NTRO_PROVE_FILE\" \"/proc/$NTRO_PROVE_PID/environ\"";
    let run = |options: &str, script: &str| {
        let run = sandbox.ntro(&format!("prove -o json {options} -- sh -c"));
        run.arg(script).run()
    };
    let refused = run("", read).success();
    assert_eq!(last(&refused), ("program: sh".into(), "refused".into()));
    let succeeded = run("--seal off", read).exits(1);
    assert_eq!(last(&succeeded).1, "succeeded");
    // It finds nothing without a seal either.
    assert_eq!(last(&run("", "true").success()).1, "not_tried");
    let unknown = sandbox.ntro("prove -- /nowhere/program").run();
    unknown.exits(127).complains("no such file").done();
}

#[test]
fn connection_is_optional() {
    let sandbox = Sandbox::new();
    let report = sandbox.ntro("prove -o json").run().success().json();
    assert_eq!(with_outcome(&report, "succeeded"), [""; 0]);
    assert_eq!(assert_group(&report, "proxy: ", "refused"), 14);
    assert_eq!(assert_group(&report, "command: ", "not_tried"), 2);
    assert_eq!(sandbox.files(), [""; 0]);
    assert!(!sandbox.ntro_home().exists());
    let unknown = sandbox.ntro("prove -c nowhere").run().exits(3);
    unknown.complains("nowhere").done();
}

#[test]
fn key_that_is_never_revealed_is_not_tried() {
    let (_authority, sandbox, _) = logged_in();
    let set = sandbox.ntro("auth set acme --policy keyless");
    set.run().success().done();
    let report = sandbox.ntro("prove -o json").run().success().json();
    assert_eq!(
        assert_group(&report, "command: ntro auth token", "not_tried"),
        1
    );
    assert_eq!(
        assert_group(&report, "command: ntro auth list", "refused"),
        1
    );
}

/// Variables and pins that name another connection have no effect on the box.
#[test]
fn own_variables_stay_out() {
    let (_authority, sandbox, _) = logged_in();
    fs::write(sandbox.home().join(".ntro.toml"), "connection = \"acme\"\n").unwrap();
    let run = sandbox.ntro("prove -o json").env("NTRO_STRICT", "1");
    let run = run.env("NTRO_TENANT", "globex-capital");
    let run = run.env("NTRO_HOST", "http://localhost:1/v1");
    let outcome = run.env("NTRO_API_KEY", "ntro_prod_other").run().success();
    assert_eq!(outcome.stderr, "");
    sandbox.assert_nowhere("ntro_prod_other");
}

#[test]
fn missing_namespaces_are_reported() {
    let (_authority, sandbox, _) = logged_in();
    let none = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"";
    let run = |options: &str| {
        let run = sandbox.program("unshare".as_ref());
        let run = run.args("--map-root-user sh -c").arg(none);
        let run = run.arg(env!("CARGO_BIN_EXE_ntro"));
        run.args(&format!("prove -o json {options}")).run()
    };
    // An old kernel holds less, and the report says so.
    let outcome = run("");
    let report = outcome.json();
    let expected = i32::from(!with_outcome(&report, "succeeded").is_empty());
    outcome.exits(expected).done();
    assert_eq!(assert_group(&report, "file: folder", "refused"), 1);
    assert_eq!(assert_group(&report, "proxy: ", "refused"), 14);
    let error = run("--seal net").exits(1).error();
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("cannot seal the child"), "{message}");
}

#[test]
fn killed_command_leaves_no_canary() {
    let (_authority, sandbox, _) = logged_in();
    let before = sandbox.files();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
    sandbox.prepare(&mut command);
    command.arg("prove").stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    until(|| planted(&sandbox.ntro_home()));
    child.kill().unwrap();
    child.wait().unwrap();
    until(|| !planted(&sandbox.ntro_home()));
    until(|| sandbox.files() == before);
}

fn planted(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| name.as_encoded_bytes().starts_with(b".ntro-prove-"))
}

#[track_caller]
fn until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(5));
    }
}

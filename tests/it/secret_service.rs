//! `scripts/with-secret-service` itself: each mode gives the state it names.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Mode, Sandbox, SecretService, project};

const STORE: &str = "printf value | timeout 2 secret-tool store --label=x service it name a";
const LOOKUP: &str = "timeout 2 secret-tool lookup service it name a";

#[test]
#[ignore = "needs D-Bus, gnome-keyring and KeePassXC: run scripts/test"]
fn mode_gives_named_state() {
    for mode in Mode::ALL {
        let service = SecretService::start(mode);
        let mut sandbox = Sandbox::new();
        sandbox.plug_in(&service);
        let shell = |line: &str| {
            let shell = std::path::Path::new("/bin/sh");
            sandbox.program(shell).arg("-c").arg(line).run()
        };
        let store = shell(STORE);
        let lookup = shell(LOOKUP);
        match mode {
            Mode::Unlocked | Mode::KeePassXc => {
                store.success().done();
                lookup.success().says("value").done();
            }
            Mode::Locked => store.exits(1).complains("locked collection").done(),
            Mode::Empty => store.exits(1).complains("does not exist").done(),
            // `timeout` exits with 124.
            Mode::Hung => lookup.exits(124).done(),
            Mode::Absent => store.exits(1).complains("not provided").done(),
            Mode::NoBus => store.exits(1).complains("D-Bus").done(),
        }
    }
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn item_survives_lock_and_hang() {
    let service = SecretService::start(Mode::Unlocked);
    let mut sandbox = Sandbox::new();
    sandbox.plug_in(&service);
    let shell = std::path::Path::new("/bin/sh");
    sandbox
        .program(shell)
        .arg("-c")
        .arg(STORE)
        .run()
        .success()
        .done();
    assert_eq!(service.lookup(&["service", "it"]).as_deref(), Some("value"));

    service.hang();
    sandbox
        .program(shell)
        .arg("-c")
        .arg(LOOKUP)
        .run()
        .exits(124)
        .done();
    service.resume();
    assert_eq!(service.lookup(&["service", "it"]).as_deref(), Some("value"));

    service.lock();
    assert_eq!(service.lookup(&["service", "it"]), None);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn parallel_services_are_independent() {
    let services: Vec<_> = (0..8)
        .map(|_| SecretService::start(Mode::Unlocked))
        .collect();
    for (number, service) in services.iter().enumerate() {
        let mut sandbox = Sandbox::new();
        sandbox.plug_in(service);
        assert_eq!(service.lookup(&["service", "it"]), None, "{number}");
        let shell = std::path::Path::new("/bin/sh");
        sandbox
            .program(shell)
            .arg("-c")
            .arg(STORE)
            .run()
            .success()
            .done();
    }
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn service_never_leaves_files() {
    let temporary = tempfile::Builder::new()
        .prefix("ntro-it-")
        .tempdir()
        .unwrap();
    for mode in ["unlocked", "hung", "nobus"] {
        for killed in [false, true] {
            let mut runner = Command::new(project("scripts/with-secret-service"))
                .args(["--mode", mode, "--", "sh", "-c"])
                .arg("echo ${SECRET_SERVICE_PID:-none}; read _; exit 7")
                .env("TMPDIR", temporary.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = std::io::BufReader::new(runner.stdout.take().unwrap());
            let mut pid = String::new();
            std::io::BufRead::read_line(&mut lines, &mut pid).unwrap();
            let daemon = format!("/proc/{}", pid.trim_end());
            assert!(pid == "none\n" || std::path::Path::new(&daemon).exists());
            assert_eq!(temporary.path().read_dir().unwrap().count(), 1);

            if killed {
                runner.kill().unwrap();
            }
            drop(runner.stdin.take());
            let status = runner.wait().unwrap();
            assert_eq!(status.code(), (!killed).then_some(7), "{mode}");

            // A killed runner is not waited for, so the clean-up may take a moment.
            let gone = || {
                temporary.path().read_dir().unwrap().count() == 0
                    && !std::path::Path::new(&daemon).exists()
            };
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while killed && !gone() && std::time::Instant::now() < deadline {
                std::thread::yield_now();
            }
            assert!(gone(), "{mode}, killed: {killed}");
        }
    }
}

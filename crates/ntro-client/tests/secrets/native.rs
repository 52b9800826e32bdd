//! The keyring of macOS and Windows, run on Linux over the `keyring` crate's Secret Service store.
//!
//! That store opens the bus named by the environment once per process, so each test starts this
//! test binary again, with a task in [`TASK`] and a separate Secret Service.

use std::process::Command;
use std::time::{Duration, Instant};

use ntro_client::secrets::{Error, Keyring, KeyringSettings, SecretStore, StoreKind};

use crate::contract::{Powers, story};
use crate::secret_service::{Mode, SecretService};
use crate::support::{NtroDir, bounded, item, key, keyring, open};

const TASK: &str = "NTRO_TEST_NATIVE";
const ORIGIN: &str = "https://api.ntropii.com";
const BOUND: Duration = Duration::from_millis(1_500);

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn native_keyring_keeps_contract() {
    let service = SecretService::start(Mode::Unlocked);
    run("story", &service);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn other_programs_share_native_items() {
    let service = SecretService::start(Mode::Unlocked);
    let home = NtroDir::new();
    let production = item("production", ORIGIN);
    let account = production.account();
    let name = ["service", "ntro", "username", &account];

    run("put", &service);
    assert_eq!(service.lookup(&name).as_deref(), Some("native"));
    // The Linux store finds the same item and replaces it.
    let store = open(StoreKind::Keyring, &home.settings_for(&service));
    assert_eq!(store.get(&production).unwrap(), Some(key("native")));
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&production));
    store.put(&production, &key("linux"), &home.lock()).unwrap();

    run("take", &service);
    assert_eq!(service.lookup(&name), None);
    assert_eq!(store.get(&production).unwrap(), None);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn hung_service_times_out_once() {
    let service = SecretService::start(Mode::Hung);
    run("hung", &service);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn late_hang_leaves_write_in_doubt() {
    let service = SecretService::start(Mode::Unlocked);
    run("hang", &service);
    service.resume();
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn missing_bus_is_absent() {
    run("absent", &SecretService::start(Mode::NoBus));
}

/// Runs a task in a process whose environment names the service.
fn run(task: &str, service: &SecretService) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "native::does_its_task"])
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .envs(service.environment())
        .env(TASK, format!("{task} {}", service.daemon_id()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{task}: {output:?}");
}

/// Does nothing unless another test started this process.
#[test]
fn does_its_task() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let (task, daemon) = task.split_once(' ').unwrap();
    let daemon = daemon.to_owned();
    let home = NtroDir::new();
    let lock = home.lock();
    let production = item("production", ORIGIN);
    let mut settings: KeyringSettings = keyring(None);
    if task == "hung" || task == "hang" {
        settings.timeout = BOUND;
    }
    let store = Keyring::native(settings);
    assert_eq!(store.kind(), StoreKind::Keyring);
    match task {
        "story" => {
            drop(lock);
            bounded(move || story(&store, &home, &Powers::all(6)));
        }
        "put" => store.put(&production, &key("native"), &lock).unwrap(),
        "take" => {
            assert_eq!(store.list().unwrap(), std::slice::from_ref(&production));
            assert_eq!(store.get(&production).unwrap(), Some(key("linux")));
            assert!(store.erase(&production, &lock).unwrap());
            assert!(!store.erase(&production, &lock).unwrap());
        }
        "hung" => bounded(move || {
            let start = Instant::now();
            for error in [
                store.probe().unwrap_err(),
                store.get(&production).unwrap_err(),
                store.put(&production, &key("one"), &lock).unwrap_err(),
                store.erase(&production, &lock).unwrap_err(),
                store.list().unwrap_err(),
            ] {
                let is_timeout = matches!(
                    error,
                    Error::TimedOut {
                        in_doubt: false,
                        ..
                    }
                );
                assert!(is_timeout, "{error:?}");
            }
            assert!(start.elapsed() < 2 * BOUND, "{:?}", start.elapsed());
        }),
        "hang" => bounded(move || {
            store.put(&production, &key("one"), &lock).unwrap();
            let stopped = Command::new("kill").args(["-STOP", &daemon]).status();
            assert!(stopped.unwrap().success());
            let error = store.put(&production, &key("two"), &lock).unwrap_err();
            let in_doubt = matches!(error, Error::TimedOut { in_doubt: true, .. });
            assert!(in_doubt, "{error:?}");
        }),
        "absent" => {
            let error = store.probe().unwrap_err();
            assert!(matches!(error, Error::Absent { .. }), "{error:?}");
        }
        _ => panic!("{task}"),
    }
}

//! The contract of every secret store.

use std::thread;

use ntro_base::disk::FileLock;
use ntro_client::secrets::{MemoryStore, SecretStore, StoreKind};

use crate::helpers::{OpenBao, PasswordStore};
use crate::secret_service::{Mode, SecretService};
use crate::support::{NtroDir, bounded, bus, item, key, open, passphrase, ssh_key};
use crate::writer::{self, Task, Work};

const ORIGIN: &str = "https://api.ntropii.com";

/// Capabilities of a store beyond keeping one key per connection.
pub struct Powers {
    /// Whether it keeps the origins of one connection apart.
    origins: bool,
    /// The number of parallel writers that still finish quickly.
    writers: usize,
    /// A suffix for names, so that several tests can use a shared store.
    suffix: String,
}

impl Powers {
    pub fn all(writers: usize) -> Self {
        Self {
            origins: true,
            writers,
            suffix: String::new(),
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }
}

pub fn story(store: &dyn SecretStore, home: &NtroDir, powers: &Powers) {
    let production = item(&powers.name("production"), ORIGIN);
    let local = item(&powers.name("local me@work \"x\" \\ é"), ORIGIN);
    let (one, two) = (key("ntro_prod_one"), key("ntro_prod_\"two\"_\\"));

    // An empty store is not an error.
    assert_eq!(store.list().unwrap(), []);
    store.probe().unwrap();
    assert_eq!(store.get(&production).unwrap(), None);
    assert!(!store.erase(&production, &home.lock()).unwrap());

    store.put(&production, &one, &home.lock()).unwrap();
    assert_eq!(store.get(&production).unwrap().as_ref(), Some(&one));
    assert_eq!(store.get(&local).unwrap(), None);
    store.probe().unwrap();

    // Writes the same key again, then replaces it.
    store.put(&production, &one, &home.lock()).unwrap();
    store.put(&production, &two, &home.lock()).unwrap();
    assert_eq!(store.get(&production).unwrap().as_ref(), Some(&two));
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&production));

    // The longest possible key.
    let longest = key(&"k".repeat(2_500));
    if powers.origins {
        store.put(&local, &longest, &home.lock()).unwrap();
        assert_eq!(store.get(&local).unwrap().as_ref(), Some(&longest));
        assert_eq!(store.list().unwrap(), [local.clone(), production.clone()]);
    }

    // Two origins under one name are two items.
    if powers.origins {
        let elsewhere = item(&powers.name("production"), "http://[::1]:3000");
        assert_eq!(store.get(&elsewhere).unwrap(), None);
        store.put(&elsewhere, &one, &home.lock()).unwrap();
        assert_eq!(store.get(&elsewhere).unwrap().as_ref(), Some(&one));
        assert_eq!(store.get(&production).unwrap().as_ref(), Some(&two));
        assert_eq!(store.list().unwrap().len(), 3);
        assert!(store.erase(&elsewhere, &home.lock()).unwrap());
        assert_eq!(store.get(&production).unwrap().as_ref(), Some(&two));
        assert!(store.erase(&local, &home.lock()).unwrap());
    }

    assert!(store.erase(&production, &home.lock()).unwrap());
    assert_eq!(store.get(&production).unwrap(), None);
    assert!(!store.erase(&production, &home.lock()).unwrap());
    assert_eq!(store.list().unwrap(), []);

    // Parallel writers on several threads of this process lose no key.
    let names: Vec<_> = (0..powers.writers)
        .map(|number| powers.name(&format!("thread-{number}")))
        .collect();
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(move || {
                for round in 0..3 {
                    let lock = FileLock::acquire(&home.folder.join(".lock")).unwrap();
                    let key = key(&format!("{name}-{round}"));
                    store.put(&item(name, ORIGIN), &key, &lock).unwrap();
                }
            });
        }
    });
    for name in &names {
        let found = store.get(&item(name, ORIGIN)).unwrap();
        assert_eq!(found, Some(key(&format!("{name}-2"))));
    }
    assert_eq!(store.list().unwrap().len(), names.len());
}

/// Makes each call in a separate process: a keyring may treat a new client differently.
fn steps(task: &Task, powers: &Powers) {
    let name = || powers.name("step-by-step");
    let run = |work| {
        writer::run(&Task {
            work,
            ..task.clone()
        })
    };
    let put = |key: &str| run(Work::Put(name(), key.to_owned()));
    let get = || run(Work::Get(name()));
    assert_eq!(get(), "none");
    for key in ["one", "one", "two", "three"] {
        assert_eq!(put(key), "stored");
        assert_eq!(get(), key);
    }
    assert_eq!(run(Work::Erase(name())), "true");
    assert_eq!(get(), "none");
    assert_eq!(run(Work::Erase(name())), "false");
}

/// Checks single calls of processes, and that several writing in parallel lose no key.
fn processes(store: &dyn SecretStore, task: &Task, powers: &Powers) {
    steps(task, powers);
    let before = store.list().unwrap().len();
    let tasks: Vec<_> = (0..powers.writers)
        .map(|number| Task {
            work: Work::Write(powers.name(&format!("process-{number}")), 2),
            ..task.clone()
        })
        .collect();
    let children: Vec<_> = tasks.iter().map(writer::start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    for task in &tasks {
        let Work::Write(name, count) = &task.work else {
            continue;
        };
        for number in 0..*count {
            let name = format!("{name}-{number}");
            let found = store.get(&item(&name, ORIGIN)).unwrap();
            assert_eq!(found, Some(key(&name)), "{name}");
        }
    }
    assert_eq!(store.list().unwrap().len(), before + 2 * powers.writers);
}

/// Removes all keys from a store that outlives the test.
fn clear(store: &dyn SecretStore, home: &NtroDir) {
    for item in store.list().unwrap() {
        assert!(store.erase(&item, &home.lock()).unwrap());
    }
    assert_eq!(store.list().unwrap(), []);
}

#[test]
fn memory() {
    let home = NtroDir::new();
    story(&MemoryStore::new(), &home, &Powers::all(6));
    assert_eq!(home.files(), []);
}

#[test]
fn plaintext() {
    let home = NtroDir::new();
    let store = open(StoreKind::Plaintext, &home.settings());
    assert_eq!(store.kind(), StoreKind::Plaintext);
    let powers = Powers {
        origins: false,
        ..Powers::all(6)
    };
    story(&*store, &home, &powers);
    let task = Task::new(StoreKind::Plaintext, &home, Work::Get(String::new()));
    processes(&*store, &task, &powers);
}

#[test]
fn file_with_an_identity() {
    let home = NtroDir::new();
    ntro_client::secrets::create_identity(&home.folder.join("identity.txt"), &home.lock()).unwrap();
    file(&home, None, 6);
}

#[test]
fn file_with_a_passphrase() {
    // Each write derives a key from the passphrase twice.
    file(&NtroDir::new(), Some("open sesame"), 2);
}

#[test]
#[ignore = "needs OpenSSH: run scripts/test"]
fn file_with_an_ssh_key() {
    for kind in ["ed25519", "rsa"] {
        let home = NtroDir::new();
        ssh_key(&home.folder.join("identity.txt"), kind, "");
        file(&home, None, 2);
    }
}

#[test]
#[ignore = "needs OpenSSH: run scripts/test"]
fn file_with_protected_ssh_key() {
    let home = NtroDir::new();
    ssh_key(&home.folder.join("identity.txt"), "ed25519", "open sesame");
    file(&home, Some("open sesame"), 2);
}

fn file(home: &NtroDir, with: Option<&str>, writers: usize) {
    let mut settings = home.settings();
    if let Some(text) = with {
        settings.passphrase = passphrase(text);
    }
    let store = open(StoreKind::File, &settings);
    assert_eq!(store.kind(), StoreKind::File);
    let powers = Powers::all(writers);
    story(&*store, home, &powers);
    let task = Task {
        passphrase: with.is_some(),
        ..Task::new(StoreKind::File, home, Work::Get(String::new()))
    };
    processes(&*store, &task, &powers);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn keyring_of_gnome() {
    keyring(Mode::Unlocked);
}

#[test]
#[ignore = "needs D-Bus and KeePassXC: run scripts/test"]
fn keyring_of_keepassxc() {
    keyring(Mode::KeePassXc);
}

fn keyring(mode: Mode) {
    let home = NtroDir::new();
    let service = SecretService::start(mode);
    let bus = bus(&service);
    let settings = home.settings_for(&service);
    bounded(move || {
        let store = open(StoreKind::Keyring, &settings);
        assert_eq!(store.kind(), StoreKind::Keyring);
        let powers = Powers::all(6);
        story(&*store, &home, &powers);
        let task = Task {
            bus,
            ..Task::new(StoreKind::Keyring, &home, Work::Get(String::new()))
        };
        processes(&*store, &task, &powers);
        assert_eq!(home.files(), []);
    });
}

/// The kernel keyring of the current user, which may hold other keys.
#[test]
#[ignore = "needs a kernel that lets it have a keyring: run scripts/test"]
fn keyutils() {
    let home = NtroDir::new();
    let store = open(StoreKind::Keyutils, &home.settings());
    assert_eq!(store.kind(), StoreKind::Keyutils);
    let powers = Powers {
        suffix: format!("-{}", home.unique()),
        ..Powers::all(3)
    };
    story(&*store, &home, &powers);
    processes(
        &*store,
        &Task::new(StoreKind::Keyutils, &home, Work::Get(String::new())),
        &powers,
    );
    clear(&*store, &home);
    assert_eq!(home.files(), []);
}

#[test]
#[ignore = "needs pass and GnuPG: run scripts/test"]
fn command_over_pass() {
    let pass = PasswordStore::new();
    command(&pass.settings(), 4);
}

#[test]
#[ignore = "needs OpenBao: run scripts/test"]
fn command_over_openbao() {
    let bao = OpenBao::start();
    command(&bao.settings(), 2);
}

fn command(table: &str, writers: usize) {
    let home = NtroDir::new();
    home.write_config(table);
    let store = open(StoreKind::Command, &home.settings());
    assert_eq!(store.kind(), StoreKind::Command);
    let powers = Powers::all(writers);
    story(&*store, &home, &powers);
    processes(
        &*store,
        &Task::new(StoreKind::Command, &home, Work::Get(String::new())),
        &powers,
    );
}

//! One story that every store has to tell the same way.

use std::thread;

use ntro::disk::FileLock;
use ntro::secrets::{MemoryStore, SecretStore, StoreKind};

use crate::secret_service::{Mode, SecretService};
use crate::support::{Home, bounded, bus, item, key, open, passphrase};
use crate::writer::{self, Task};

const ORIGIN: &str = "https://api.ntropii.com";

/// What a store can be expected to do beyond keeping a key for each connection.
struct Powers {
    /// It keeps the origins of one connection apart.
    origins: bool,
    /// How many may write at once before that takes long.
    writers: usize,
}

fn story(store: &dyn SecretStore, home: &Home, powers: &Powers) {
    let production = item("production", ORIGIN);
    let local = item("local me@work \"x\" \\ é", ORIGIN);
    let (one, two) = (key("ntro_prod_one"), key("ntro_prod_\"two\"_\\"));

    // Nothing yet: that is an answer, not an error.
    assert_eq!(store.list().unwrap(), []);
    store.probe().unwrap();
    assert_eq!(store.get(&production).unwrap(), None);
    assert!(!store.erase(&production, &home.lock()).unwrap());

    store.put(&production, &one, &home.lock()).unwrap();
    assert_eq!(store.get(&production).unwrap().as_ref(), Some(&one));
    assert_eq!(store.get(&local).unwrap(), None);
    store.probe().unwrap();

    // The same again, and another in its place.
    store.put(&production, &one, &home.lock()).unwrap();
    store.put(&production, &two, &home.lock()).unwrap();
    assert_eq!(store.get(&production).unwrap().as_ref(), Some(&two));
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&production));

    // The longest key there can be.
    let longest = key(&"k".repeat(2_500));
    if powers.origins {
        store.put(&local, &longest, &home.lock()).unwrap();
        assert_eq!(store.get(&local).unwrap().as_ref(), Some(&longest));
        assert_eq!(store.list().unwrap(), [local.clone(), production.clone()]);
    }

    // Two origins under one name are two items.
    if powers.origins {
        let elsewhere = item("production", "http://[::1]:3000");
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

    // Writers on several threads of this process lose nothing.
    let names: Vec<_> = (0..powers.writers)
        .map(|number| format!("thread-{number}"))
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

/// Several processes that write at once lose nothing.
fn processes(store: &dyn SecretStore, task: &Task, powers: &Powers) {
    let before = store.list().unwrap().len();
    let tasks: Vec<_> = (0..powers.writers)
        .map(|number| Task {
            name: format!("process-{number}"),
            count: 2,
            ..task.clone()
        })
        .collect();
    let children: Vec<_> = tasks.iter().map(writer::start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    for task in &tasks {
        for number in 0..task.count {
            let name = format!("{}-{number}", task.name);
            let found = store.get(&item(&name, ORIGIN)).unwrap();
            assert_eq!(found, Some(key(&name)), "{name}");
        }
    }
    assert_eq!(store.list().unwrap().len(), before + 2 * powers.writers);
}

#[test]
fn memory() {
    let home = Home::new();
    let powers = Powers {
        origins: true,
        writers: 6,
    };
    story(&MemoryStore::new(), &home, &powers);
    assert_eq!(home.files(), []);
}

#[test]
fn plaintext() {
    let home = Home::new();
    let store = open(StoreKind::Plaintext, &home.settings());
    assert_eq!(store.kind(), StoreKind::Plaintext);
    let lock = home.lock();
    let production = item("production", ORIGIN);
    assert!(!store.erase(&production, &lock).unwrap());
    store.put(&production, &key("one"), &lock).unwrap();
    assert_eq!(store.get(&production).unwrap(), Some(key("one")));
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&production));
    assert!(store.erase(&production, &lock).unwrap());
    assert_eq!(store.get(&production).unwrap(), None);
    drop(lock);
    let powers = Powers {
        origins: false,
        writers: 6,
    };
    story(&*store, &home, &powers);
}

#[test]
fn file_with_an_identity() {
    let home = Home::new();
    ntro::secrets::create_identity(&home.folder.join("identity.txt"), &home.lock()).unwrap();
    file(&home, false);
}

#[test]
fn file_with_a_passphrase() {
    file(&Home::new(), true);
}

fn file(home: &Home, with_passphrase: bool) {
    let mut settings = home.settings();
    if with_passphrase {
        settings.passphrase = passphrase("open sesame");
    }
    let store = open(StoreKind::File, &settings);
    assert_eq!(store.kind(), StoreKind::File);
    let powers = Powers {
        origins: true,
        // Each of them stretches the passphrase twice.
        writers: if with_passphrase { 2 } else { 6 },
    };
    story(&*store, home, &powers);
    let task = Task {
        kind: StoreKind::File,
        folder: home.folder.clone(),
        bus: None,
        passphrase: with_passphrase,
        name: String::new(),
        count: 0,
    };
    processes(&*store, &task, &powers);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn keyring() {
    let home = Home::new();
    let service = SecretService::start(Mode::Unlocked);
    let bus = bus(&service);
    let settings = home.settings_for(&service);
    bounded(move || {
        let store = open(StoreKind::Keyring, &settings);
        assert_eq!(store.kind(), StoreKind::Keyring);
        let powers = Powers {
            origins: true,
            writers: 6,
        };
        story(&*store, &home, &powers);
        let task = Task {
            kind: StoreKind::Keyring,
            folder: home.folder.clone(),
            bus,
            passphrase: false,
            name: String::new(),
            count: 0,
        };
        processes(&*store, &task, &powers);
        assert_eq!(home.files(), []);
    });
}

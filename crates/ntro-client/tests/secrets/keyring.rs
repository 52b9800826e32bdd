//! The Secret Service in every state: the answer, its duration, and that nothing is stored.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use ntro_base::disk::FileLock;
use ntro_client::secrets::{Error, Keyring, KeyringSettings, SecretStore, StoreKind};

use crate::fake_service::{FakeService, Habit};
use crate::secret_service::{Mode, SecretService};
use crate::support::{NtroDir, bounded, bus, item, key, keyring, open};

const ORIGIN: &str = "https://api.ntropii.com";

/// The results of all calls, and their duration.
struct Answers {
    probe: Result<(), Error>,
    get: Result<bool, Error>,
    put: Result<(), Error>,
    erase: Result<bool, Error>,
    list: Result<usize, Error>,
    took: Duration,
}

/// Makes every call to a store.
fn ask(store: &dyn SecretStore, lock: &FileLock) -> Answers {
    let production = item("production", ORIGIN);
    let start = Instant::now();
    Answers {
        probe: store.probe(),
        get: store.get(&production).map(|key| key.is_some()),
        put: store.put(&production, &key("ntro_prod_canary"), lock),
        erase: store.erase(&production, lock),
        list: store.list().map(|items| items.len()),
        took: start.elapsed(),
    }
}

/// Starts a service in a state and makes every call, within a time limit.
fn ask_in(
    mode: Mode,
    change: impl FnOnce(&mut KeyringSettings),
) -> (Answers, SecretService, NtroDir) {
    let service = SecretService::start(mode);
    let home = NtroDir::new();
    let mut settings = keyring(bus(&service));
    change(&mut settings);
    let lock = home.lock();
    let answers = bounded(move || ask(&Keyring::new(settings), &lock));
    assert_eq!(home.files(), [], "nothing is written elsewhere");
    (answers, service, home)
}

macro_rules! all_fail {
    ($answers:expr, $pattern:pat) => {{
        let answers = $answers;
        assert!(
            matches!(answers.probe, Err($pattern)),
            "{:?}",
            answers.probe
        );
        assert!(matches!(answers.get, Err($pattern)), "{:?}", answers.get);
        assert!(matches!(answers.put, Err($pattern)), "{:?}", answers.put);
        assert!(
            matches!(answers.erase, Err($pattern)),
            "{:?}",
            answers.erase
        );
        assert!(matches!(answers.list, Err($pattern)), "{:?}", answers.list);
    }};
}

#[test]
fn missing_bus_is_absent() {
    let home = NtroDir::new();
    let lock = home.lock();
    for bus in [
        None,
        Some("unix:path=/nonexistent/bus"),
        Some("tcp:host=127.0.0.1,port=1"),
        Some("unixexec:path=/bin/true"),
        Some("autolaunch:"),
        Some("unix:"),
        Some("rubbish"),
    ] {
        let settings = keyring(bus.map(str::to_owned));
        let answers = ask(&Keyring::new(settings), &lock);
        all_fail!(answers, Error::Absent { .. });
    }
    assert_eq!(home.files(), []);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn bus_addresses_are_tried_in_turn() {
    let service = SecretService::start(Mode::Unlocked);
    let good = bus(&service).unwrap();
    for before in [
        "unix:path=/nope;",
        "unix:;tcp:host=127.0.0.1,port=1;",
        "autolaunch:;;unix:path=/dev/null;",
    ] {
        let store = Keyring::new(keyring(Some(format!("{before}{good};unix:path=/never"))));
        store.probe().unwrap();
    }
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn unfinished_prompt_is_not_locked() {
    let production = item("production", ORIGIN);
    for (habit, reason) in [
        (Habit::Dismisses, "its prompt was dismissed"),
        (Habit::NeverAnswers, "its prompt was not answered"),
    ] {
        let (_service, home, store) = fake(habit, false);
        let lock = home.lock();
        let error = store.put(&production, &key("one"), &lock).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn missing_service_is_absent() {
    let (answers, ..) = ask_in(Mode::Absent, |_| {});
    all_fail!(answers, Error::Absent { .. });
    let (answers, ..) = ask_in(Mode::NoBus, |_| {});
    all_fail!(answers, Error::Absent { .. });
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn empty_service_refuses_keys() {
    let (answers, service, _home) = ask_in(Mode::Empty, |_| {});
    assert!(matches!(answers.probe, Err(Error::Empty { .. })));
    assert!(matches!(answers.put, Err(Error::Empty { .. })));
    assert!(matches!(answers.get, Ok(false)));
    assert!(matches!(answers.erase, Ok(false)));
    assert!(matches!(answers.list, Ok(0)));
    assert_eq!(service.lookup(&["service", "ntro"]), None);

    // The prompt that would create a collection cannot be shown here.
    let (answers, ..) = ask_in(Mode::Empty, |settings| settings.interactive = true);
    let refused = |answer: &Result<(), Error>| matches!(answer, Err(Error::Refused { .. }));
    assert!(refused(&answers.probe), "{:?}", answers.probe);
    assert!(refused(&answers.put), "{:?}", answers.put);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn locked_service_is_not_empty() {
    let service = SecretService::start(Mode::Unlocked);
    let home = NtroDir::new();
    let production = item("production", ORIGIN);
    let settings = home.settings_for(&service);
    let store = open(StoreKind::Keyring, &settings);
    store.put(&production, &key("one"), &home.lock()).unwrap();
    service.lock();

    let lock = home.lock();
    let answers = bounded(move || ask(&*store, &lock));
    assert!(matches!(answers.probe, Err(Error::Locked { .. })));
    assert!(
        matches!(answers.get, Err(Error::Locked { .. })),
        "{:?}",
        answers.get
    );
    assert!(
        matches!(answers.put, Err(Error::Locked { .. })),
        "{:?}",
        answers.put
    );
    assert!(matches!(answers.erase, Err(Error::Locked { .. })));
    // Listing works without unlocking.
    assert!(matches!(answers.list, Ok(1)), "{:?}", answers.list);

    // A missing item is reported as missing, locked or not.
    let store = open(StoreKind::Keyring, &settings);
    assert_eq!(store.get(&item("other", ORIGIN)).unwrap(), None);

    // Interactively, the system's prompt is tried; nothing here can show it.
    let mut interactive = keyring(bus(&service));
    interactive.interactive = true;
    let lock = home.lock();
    let answers = bounded(move || ask(&Keyring::new(interactive), &lock));
    for refused in [
        answers.probe,
        answers.get.map(drop),
        answers.put,
        answers.erase.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    }
    assert!(matches!(answers.list, Ok(1)));
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn hung_service_times_out_once() {
    let bound = Duration::from_millis(1_500);
    let (answers, service, home) = ask_in(Mode::Hung, |settings| settings.timeout = bound);
    // Five calls take one timeout, not five. The margin is for a busy machine.
    assert!(answers.took < 2 * bound, "{:?}", answers.took);
    all_fail!(
        answers,
        Error::TimedOut {
            in_doubt: false,
            ..
        }
    );
    service.resume();
    let store = open(StoreKind::Keyring, &home.settings_for(&service));
    assert_eq!(store.get(&item("production", ORIGIN)).unwrap(), None);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn consecutive_stores_share_timeout() {
    let service = SecretService::start(Mode::Hung);
    let home = NtroDir::new();
    let bound = Duration::from_millis(1_500);
    let mut settings = home.settings();
    settings.keyring = Keyring::new(KeyringSettings {
        timeout: bound,
        ..keyring(bus(&service))
    });
    let took = bounded(move || {
        let start = Instant::now();
        for _ in 0..40 {
            let store = open(StoreKind::Keyring, &settings.clone());
            let error = store.get(&item("production", ORIGIN)).unwrap_err();
            assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
        }
        start.elapsed()
    });
    assert!(took < 2 * bound, "{took:?}");
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn unsent_write_is_not_in_doubt() {
    let service = SecretService::start(Mode::Unlocked);
    let home = NtroDir::new();
    let mut settings = keyring(bus(&service));
    settings.timeout = Duration::from_secs(1);
    let store = Keyring::new(settings);
    let production = item("production", ORIGIN);
    store.put(&production, &key("one"), &home.lock()).unwrap();

    service.hang();
    let lock = home.lock();
    let (store, outcome) = bounded(move || {
        let outcome = store.put(&item("production", ORIGIN), &key("two"), &lock);
        (store, outcome)
    });
    assert!(
        matches!(
            outcome,
            Err(Error::TimedOut {
                in_doubt: false,
                ..
            })
        ),
        "{outcome:?}"
    );
    service.resume();
    drop(store);
    let store = open(StoreKind::Keyring, &home.settings_for(&service));
    assert_eq!(store.get(&production).unwrap(), Some(key("one")));
}

/// Opens the keyring of a scripted service.
fn fake(habit: Habit, interactive: bool) -> (FakeService, NtroDir, Keyring) {
    let service = FakeService::start(habit);
    let home = NtroDir::new();
    let store = Keyring::new(KeyringSettings {
        timeout: Duration::from_millis(900),
        interactive,
        ..keyring(bus(&service.bus))
    });
    (service, home, store)
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn unanswered_write_is_read_back() {
    let production = item("production", ORIGIN);

    let (_service, home, store) = fake(Habit::StoresSilently, false);
    store.put(&production, &key("one"), &home.lock()).unwrap();
    store.put(&production, &key("two"), &home.lock()).unwrap();
    assert_eq!(store.get(&production).unwrap(), Some(key("two")));

    let (_service, home, store) = fake(Habit::LosesWrites, false);
    let error = store.put(&production, &key("one"), &home.lock());
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::TimedOut { in_doubt: true, .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the keyring did not answer within 0.9 s, and may have made the change all the same"
    );

    let (_service, home, store) = fake(Habit::ErasesSilently, false);
    assert!(store.erase(&production, &home.lock()).unwrap());
}

/// Parallel calls wait for one start, and its time counts once.
#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn slow_start_counts_once() {
    let service = FakeService::start(Habit::StartsSlowly);
    let home = NtroDir::new();
    let store = Keyring::new(keyring(bus(&service.bus)));
    let production = item("production", ORIGIN);
    store.put(&production, &key("one"), &home.lock()).unwrap();
    assert_eq!(store.get(&production).unwrap(), Some(key("one")));
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn answered_prompt_unlocks() {
    let production = item("production", ORIGIN);
    let (_service, _home, store) = fake(Habit::AsksAndIsUnlocked, false);
    assert!(matches!(store.get(&production), Err(Error::Locked { .. })));
    assert!(matches!(store.probe(), Err(Error::Locked { .. })));

    let (_service, _home, store) = fake(Habit::AsksAndIsUnlocked, true);
    assert_eq!(store.get(&production).unwrap(), Some(key("stored")));
    let (_service, _home, store) = fake(Habit::AsksAndIsUnlocked, true);
    store.probe().unwrap();
    assert_eq!(store.get(&production).unwrap(), Some(key("stored")));
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn service_messages_are_cleaned() {
    let (_service, home, store) = fake(Habit::SaysControlCharacters, false);
    let lock = home.lock();
    let answers = bounded(move || ask(&store, &lock));
    assert_eq!(
        answers.probe.as_ref().unwrap_err().to_string(),
        "the keyring failed: <U+001B>[31mred<U+0007>"
    );
    all_fail!(answers, Error::Unavailable { .. });

    let (_service, home, store) = fake(Habit::AnswersNonsense, false);
    let lock = home.lock();
    let answers = bounded(move || ask(&store, &lock));
    all_fail!(answers, Error::Unavailable { .. });
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn slow_service_is_waited_for() {
    let service = SecretService::start(Mode::Hung);
    let home = NtroDir::new();
    let settings = home.settings_for(&service);
    let lock = home.lock();
    let started = std::thread::spawn(move || {
        let store = open(StoreKind::Keyring, &settings);
        store.put(&item("production", ORIGIN), &key("one"), &lock)
    });
    service.resume();
    bounded(move || started.join().unwrap()).unwrap();
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn restarted_service_reconnects() {
    let service = SecretService::start(Mode::Unlocked);
    let home = NtroDir::new();
    let store = open(StoreKind::Keyring, &home.settings_for(&service));
    store.probe().unwrap();
    drop(service);
    let outcome = bounded(move || store.probe());
    assert!(
        matches!(
            outcome,
            Err(Error::Absent { .. } | Error::Unavailable { .. })
        ),
        "{outcome:?}"
    );
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn items_are_shared_with_other_programs() {
    let service = SecretService::start(Mode::Unlocked);
    let home = NtroDir::new();
    let store = open(StoreKind::Keyring, &home.settings_for(&service));
    let production = item("production", ORIGIN);
    let account = production.account();
    store.put(&production, &key("ours"), &home.lock()).unwrap();

    let name = ["service", "ntro", "username", &account];
    assert_eq!(service.lookup(&name).as_deref(), Some("ours"));
    let shown = service.search(&["service", "ntro"]);
    for line in [
        "label = ntro: production (https://api.ntropii.com)",
        "attribute.username = production@https://api.ntropii.com",
        "attribute.connection = production",
        "attribute.origin = https://api.ntropii.com",
        "attribute.application = ntro",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }

    // The keyring crate finds the item by service and user alone, as do we.
    let other = item("other", ORIGIN);
    secret_tool(
        &service,
        &["service", "ntro", "username", &other.account()],
        "theirs\n",
    );
    assert_eq!(store.get(&other).unwrap(), Some(key("theirs")));
    assert_eq!(store.list().unwrap(), [other.clone(), production.clone()]);

    // An older item of the same name must not reappear when ours is written or erased.
    store.put(&other, &key("newer"), &home.lock()).unwrap();
    assert_eq!(store.get(&other).unwrap(), Some(key("newer")));
    let found = service.search(&["service", "ntro", "username", &other.account()]);
    assert_eq!(found.matches("secret = ").count(), 1, "{found}");
    secret_tool(
        &service,
        &[
            "service",
            "ntro",
            "username",
            &other.account(),
            "extra",
            "x",
        ],
        "twin",
    );
    assert!(store.get(&other).unwrap().is_some());
    assert!(store.erase(&other, &home.lock()).unwrap());
    assert_eq!(store.get(&other).unwrap(), None);
    assert_eq!(store.list().unwrap(), [production]);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn invalid_item_is_never_shown() {
    let service = SecretService::start(Mode::Unlocked);
    let home = NtroDir::new();
    let store = open(StoreKind::Keyring, &home.settings_for(&service));
    let production = item("production", ORIGIN);
    let name = ["service", "ntro", "username", &production.account()];
    for secret in ["two canary words", "canary\u{e9}"] {
        secret_tool(&service, &name, secret);
        let error = store.get(&production).unwrap_err();
        assert!(matches!(error, Error::NotAKey { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    store.put(&production, &key("one"), &home.lock()).unwrap();
    assert_eq!(store.get(&production).unwrap(), Some(key("one")));
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn store_works_inside_async_runtime() {
    let service = SecretService::start(Mode::Unlocked);
    let hung = SecretService::start(Mode::Hung);
    let settings = keyring(bus(&service));
    let mut stuck = keyring(bus(&hung));
    stuck.timeout = Duration::from_millis(500);
    bounded(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = Keyring::new(settings);
            store.probe().unwrap();
            let store = tokio::task::spawn_blocking(move || {
                store.probe().unwrap();
                store
            });
            // Dropping a store works there too, even one that never answered.
            drop(store.await.unwrap());
            let store = Keyring::new(stuck);
            let store = tokio::task::spawn_blocking(move || {
                assert!(matches!(store.probe(), Err(Error::TimedOut { .. })));
                store
            });
            drop(store.await.unwrap());
        });
        // The end of a runtime waits for its threads.
        drop(runtime);
    });
}

fn secret_tool(service: &SecretService, attributes: &[&str], secret: &str) {
    use std::io::Write as _;

    let environment: HashMap<_, _> = service.environment().collect();
    let mut child = Command::new("secret-tool")
        .args(["store", "--label=theirs"])
        .args(attributes)
        .envs(environment)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(secret.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

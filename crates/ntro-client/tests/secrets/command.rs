//! The `command` store with misbehaving helpers, each a small program.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ntro_client::secrets::{
    CommandSettings, Error, HelperCall, HelperFault, Item, Missing, SecretStore, StoreKind,
};
use rustix::process::{Pid, test_kill_process};

use crate::support::{NtroDir, bounded, item, key, open};

const SECRET: &str = "ntro_prod_topsecret";

fn production() -> Item {
    item("production", "https://api.ntropii.com")
}

/// A helper that is a one-line shell script; `$1` is the item.
fn sh(script: &str) -> Vec<String> {
    ["sh", "-c", script, "sh", "{item}"]
        .map(str::to_owned)
        .to_vec()
}

/// Helpers that keep keys in a folder, in files named after their items.
fn in_folder(home: &NtroDir) -> CommandSettings {
    std::fs::create_dir_all(home.folder.join("keys")).unwrap();
    let folder = home.folder.join("keys").display().to_string();
    CommandSettings {
        get: sh(&format!(
            "cd {folder}; [ -e $1 ] || {{ echo no such item >&2; exit 3; }}; cat $1"
        )),
        store: sh(&format!("cat >{folder}/$1")),
        erase: sh(&format!("rm -f {folder}/$1")),
        list: Some(sh(&format!("ls {folder}"))),
        missing: vec![Missing::Text("no such item".to_owned())],
        timeout: Duration::from_secs(20),
    }
}

fn store(settings: CommandSettings) -> Box<dyn SecretStore> {
    hearing(settings).0
}

/// Returns a store and the recorded messages of its helpers.
fn hearing(settings: CommandSettings) -> (Box<dyn SecretStore>, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut all = NtroDir::new().settings();
    all.command = Some(settings);
    let hear = Arc::clone(&heard);
    all.report = Arc::new(move |line| hear.lock().unwrap().push(line.to_owned()));
    (open(StoreKind::Command, &all), heard)
}

/// Returns the error of `get` with this script as the helper.
fn getting(script: &str) -> Error {
    let mut settings = in_folder(&NtroDir::new());
    settings.get = sh(script);
    let error = store(settings).get(&production()).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("topsecret"), "{shown}");
    error
}

#[test]
fn helper_faults_have_distinct_errors() {
    let message = |script: &str| getting(script).to_string();
    assert_eq!(message("true"), "the helper `sh` printed nothing");
    assert_eq!(message("echo; echo"), "the helper `sh` printed nothing");
    assert_eq!(
        message(&format!("echo {SECRET}; echo login: ada")),
        "the helper `sh` printed 2 lines where the key alone was expected"
    );
    assert_eq!(
        message(&format!("echo 'the key is {SECRET}'")),
        "the helper `sh` printed something that is not an API key: the API key contains a space at position 4: keys are visible ASCII characters only"
    );
    let garbage = getting(r"printf '\377\000'").to_string();
    assert!(garbage.contains("not an API key"), "{garbage}");
    assert!(message(&format!("head -c 3000 /dev/zero | tr '\\0' k; : {SECRET}")).contains("3000"));
    assert_eq!(
        message(&format!(
            "echo {SECRET}; echo 'vault is sealed' >&2; exit 2"
        )),
        "the helper `sh` failed with exit code 2: vault is sealed"
    );
    assert_eq!(
        message(&format!("echo {SECRET}; exit 2")),
        "the helper `sh` failed with exit code 2"
    );
    assert!(message("kill -9 $$").contains("was ended by signal: 9"));
    // More than the limit of kept output.
    assert!(message("yes").contains("the helper `sh`"));
}

#[test]
fn byte_order_mark_is_dropped() {
    let mut settings = in_folder(&NtroDir::new());
    settings.get = sh(r"printf '\357\273\277ntro_prod_key\r\n'");
    let found = store(settings).get(&production()).unwrap();
    assert_eq!(found, Some(key("ntro_prod_key")));
}

#[test]
fn missing_helper_is_absent() {
    let mut settings = in_folder(&NtroDir::new());
    settings.get[0] = "no-such-program".to_owned();
    let store = store(settings);
    for error in [
        store.probe().unwrap_err(),
        store.get(&production()).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Absent { .. }), "{error:?}");
        assert!(error.to_string().contains("`no-such-program`"), "{error}");
    }
}

/// Ends the helper with all of its processes, even those that ignore signals.
#[test]
fn hung_helper_group_is_killed() {
    let home = NtroDir::new();
    let mut settings = in_folder(&home);
    let pids = home.folder.join("pids");
    settings.timeout = Duration::from_millis(700);
    settings.get = sh(&format!(
        "trap '' TERM HUP INT; sleep 600 & echo $! $$ >{}; echo waiting >&2; sleep 600",
        pids.display()
    ));
    let (store, heard) = hearing(settings);
    let start = Instant::now();
    let error = bounded(move || store.get(&production()).unwrap_err());
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(
        matches!(
            error,
            Error::TimedOut {
                in_doubt: false,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "the command did not answer within 0.7 s");
    // Passed on while the helper ran: it may have been a prompt.
    assert_eq!(*heard.lock().unwrap(), ["waiting"]);
    for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
        assert!(is_over(pid.parse().unwrap()), "{pid} lives");
    }
}

/// Returns whether a process is gone or a zombie.
fn is_over(pid: i32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let dead = state
            .rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('Z'));
        if dead || test_kill_process(Pid::from_raw(pid).unwrap()).is_err() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// As with agents that the first call starts.
#[test]
fn background_process_does_not_block() {
    let home = NtroDir::new();
    let pid = home.folder.join("pid");
    let mut settings = in_folder(&home);
    settings.get = sh(&format!(
        "sleep 600 & echo $! >{}; echo {SECRET}",
        pid.display()
    ));
    let store = store(settings);
    let found = bounded(move || store.get(&production()).unwrap());
    assert_eq!(found, Some(key(SECRET)));
    let left = std::fs::read_to_string(pid)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    rustix::process::kill_process(Pid::from_raw(left).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
}

#[test]
fn helper_messages_are_cleaned() {
    let home = NtroDir::new();
    let mut settings = in_folder(&home);
    settings.get = sh(&format!(
        r"printf 'touch \033[31myour key\007\n\nthanks' >&2; echo {SECRET}"
    ));
    let (store, heard) = hearing(settings);
    assert_eq!(store.get(&production()).unwrap(), Some(key(SECRET)));
    assert_eq!(
        *heard.lock().unwrap(),
        ["touch <U+001B>[31myour key<U+0007>", "thanks"]
    );
}

#[test]
fn missing_setting_matches_output() {
    let home = NtroDir::new();
    let (store, heard) = hearing(in_folder(&home));
    store.probe().unwrap();
    assert_eq!(store.get(&production()).unwrap(), None);
    assert!(!store.erase(&production(), &home.lock()).unwrap());
    // It is not a complaint.
    assert!(heard.lock().unwrap().is_empty());

    let with = |missing: Vec<Missing>| {
        let settings = CommandSettings {
            missing,
            ..in_folder(&home)
        };
        self::store(settings).get(&production())
    };
    assert_eq!(with(vec![Missing::Code(3)]).unwrap(), None);
    for missing in [
        Vec::new(),
        vec![Missing::Code(2)],
        vec![Missing::Text("not found".to_owned())],
        // An empty text would match any output.
        vec![Missing::Text(String::new())],
    ] {
        let error = with(missing).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Helper {
                    call: HelperCall::Get,
                    fault: HelperFault::Failed(3),
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(error.to_string().ends_with(": no such item"), "{error}");
    }
}

#[test]
fn unconfigured_store_names_missing_setting() {
    let home = NtroDir::new();
    let none = open(StoreKind::Command, &home.settings());
    let mut one_key = in_folder(&home);
    one_key.get = vec!["echo".to_owned(), "{connection}".to_owned()];
    let mut finds_all = in_folder(&home);
    finds_all.get = sh(&format!("echo {SECRET}"));
    let mut no_list = in_folder(&home);
    no_list.list = None;
    for (answer, reason) in [
        (none.probe(), "there is no `[stores.command]`"),
        (store(one_key).probe(), "tell the origins"),
        (
            store(finds_all).probe(),
            "ends well for an item that does not exist",
        ),
        (store(no_list).list().map(drop), "`list` is missing"),
    ] {
        let error = answer.unwrap_err();
        assert!(matches!(error, Error::NotConfigured { .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// A helper that reports success without storing.
#[test]
fn stored_key_is_read_back() {
    let home = NtroDir::new();
    let folder = home.folder.join("keys").display().to_string();
    for script in [
        "cat >/dev/null".to_owned(),
        "true".to_owned(),
        format!("{{ cat; echo; echo more; }} >{folder}/$1"),
        format!("echo another >{folder}/$1"),
    ] {
        let mut settings = in_folder(&home);
        settings.store = sh(&script);
        let error = store(settings)
            .put(&production(), &key(SECRET), &home.lock())
            .unwrap_err();
        assert!(matches!(error, Error::Helper { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("topsecret"));
    }
    let mut settings = in_folder(&home);
    settings.store = sh("cat >&2; exit 1");
    let error = store(settings)
        .put(&production(), &key(SECRET), &home.lock())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the helper `sh` failed with exit code 1: …"
    );
}

/// No argument and no variable of a helper contains the key.
#[test]
fn helper_gets_key_on_stdin_only() {
    let home = NtroDir::new();
    let folder = home.folder.join("keys").display().to_string();
    let seen = home.folder.join("seen");
    let look = format!(
        "cat /proc/$$/cmdline /proc/$$/environ >>{};",
        seen.display()
    );
    let mut settings = in_folder(&home);
    settings.store = sh(&format!("{look} cat >{folder}/$1"));
    settings.erase = sh(&format!("{look} rm {folder}/$1"));
    let store = store(settings);
    store
        .put(&production(), &key(SECRET), &home.lock())
        .unwrap();
    assert_eq!(store.get(&production()).unwrap(), Some(key(SECRET)));
    assert!(store.erase(&production(), &home.lock()).unwrap());
    let seen = String::from_utf8_lossy(&std::fs::read(seen).unwrap()).into_owned();
    assert!(
        seen.contains("production_40https_3a_2f_2fapi.ntropii.com"),
        "{seen}"
    );
    assert!(!seen.contains("topsecret"));
}

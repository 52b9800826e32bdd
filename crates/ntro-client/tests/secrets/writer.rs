//! A second process that uses a store: this test binary, started with a variable.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use ntro_base::disk::FileLock;
use ntro_client::secrets::{Keyring, Passphrase, StoreKind};

use crate::support::{NtroDir, item, key, keyring, open, settings};

const TASK: &str = "NTRO_TEST_WRITER";

/// The task of a process.
#[derive(Clone)]
pub struct Task {
    pub kind: StoreKind,
    pub folder: PathBuf,
    pub bus: Option<String>,
    /// Whether the file is opened by the passphrase `open sesame`.
    pub passphrase: bool,
    pub work: Work,
}

/// The calls of a process.
#[derive(Clone)]
pub enum Work {
    /// Writes this many connections `<name>-0`, `<name>-1`, … and prints a line after each.
    Write(String, usize),
    /// Stores a key for a connection.
    Put(String, String),
    /// Prints the key of a connection.
    Get(String),
    /// Erases the key of a connection and prints whether there was one.
    Erase(String),
}

impl Work {
    fn words(&self) -> [String; 3] {
        let [call, name, value] = match self {
            Self::Write(name, count) => ["write", name, &count.to_string()],
            Self::Put(name, key) => ["put", name, key],
            Self::Get(name) => ["get", name, "-"],
            Self::Erase(name) => ["erase", name, "-"],
        };
        [call, name, value].map(str::to_owned)
    }
}

impl Task {
    /// A task for a store that opens by itself.
    pub fn new(kind: StoreKind, home: &NtroDir, work: Work) -> Self {
        Self {
            kind,
            folder: home.folder.clone(),
            bus: None,
            passphrase: false,
            work,
        }
    }
}

/// Starts a process for the task.
pub fn start(task: &Task) -> Child {
    let [call, name, value] = task.work.words();
    let words = [
        task.kind.as_str(),
        task.folder.to_str().unwrap(),
        task.bus.as_deref().unwrap_or("-"),
        if task.passphrase { "yes" } else { "no" },
        &call,
        &name,
        &value,
    ];
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "writer::writes_what_it_is_told"])
        .env(TASK, words.join("\n"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a process for the task and returns what it printed last.
pub fn run(task: &Task) -> String {
    let output = start(task).wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (_, outcome) = printed.split_once("<<").unwrap();
    outcome.split_once(">>").unwrap().0.to_owned()
}

/// Does nothing unless another test started this process as a writer.
#[test]
fn writes_what_it_is_told() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let words: Vec<&str> = task.lines().collect();
    let [kind, folder, bus, passphrase, call, name, value] = words[..] else {
        panic!("{task}")
    };
    let mut settings = settings(folder.into());
    settings.keyring = Keyring::new(keyring((bus != "-").then(|| bus.to_owned())));
    if passphrase == "yes" {
        settings.passphrase = Passphrase::from_value("open sesame".into());
    }
    let store = open(kind.parse().unwrap(), &settings);
    let lock = || FileLock::acquire(&settings.folder.join(".lock")).unwrap();
    let item = |name: &str| item(name, "https://api.ntropii.com");
    let outcome = match call {
        "write" => {
            for number in 0..value.parse().unwrap() {
                let item = item(&format!("{name}-{number}"));
                let written = key(item.connection.as_str());
                store.put(&item, &written, &lock()).unwrap();
                println!("wrote {}", item.connection);
            }
            "all".to_owned()
        }
        "put" => {
            store.put(&item(name), &key(value), &lock()).unwrap();
            "stored".to_owned()
        }
        "get" => match store.get(&item(name)).unwrap() {
            Some(key) => key.expose().to_owned(),
            None => "none".to_owned(),
        },
        _ => store.erase(&item(name), &lock()).unwrap().to_string(),
    };
    println!("<<{outcome}>>");
}

//! A second writer process: this test binary, started with a variable.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use ntro_base::disk::FileLock;
use ntro_client::secrets::{Keyring, Passphrase, StoreKind};

use crate::support::{NtroDir, item, key, keyring, open, settings};

const TASK: &str = "NTRO_TEST_WRITER";

/// The task of a writer.
#[derive(Clone)]
pub struct Task {
    pub kind: StoreKind,
    pub folder: PathBuf,
    pub bus: Option<String>,
    /// Whether the file is opened by the passphrase `open sesame`.
    pub passphrase: bool,
    /// It writes the connections `<name>-0`, `<name>-1`, …
    pub name: String,
    pub count: usize,
}

impl Task {
    /// An empty task, for a store that opens by itself.
    pub fn new(kind: StoreKind, home: &NtroDir) -> Self {
        Self {
            kind,
            folder: home.folder.clone(),
            bus: None,
            passphrase: false,
            name: String::new(),
            count: 0,
        }
    }
}

/// Starts a process for the task; it prints a line after each write.
pub fn start(task: &Task) -> Child {
    let words = [
        task.kind.as_str(),
        task.folder.to_str().unwrap(),
        task.bus.as_deref().unwrap_or("-"),
        if task.passphrase { "yes" } else { "no" },
        &task.name,
        &task.count.to_string(),
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

/// Does nothing unless another test started this process as a writer.
#[test]
fn writes_what_it_is_told() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let words: Vec<&str> = task.lines().collect();
    let [kind, folder, bus, passphrase, name, count] = words[..] else {
        panic!("{task}")
    };
    let mut settings = settings(folder.into());
    settings.keyring = Keyring::new(keyring((bus != "-").then(|| bus.to_owned())));
    if passphrase == "yes" {
        settings.passphrase = Passphrase::from_value("open sesame".into());
    }
    let store = open(kind.parse().unwrap(), &settings);
    for number in 0..count.parse().unwrap() {
        let item = item(&format!("{name}-{number}"), "https://api.ntropii.com");
        let lock = FileLock::acquire(&settings.folder.join(".lock")).unwrap();
        store
            .put(&item, &key(item.connection.as_str()), &lock)
            .unwrap();
        drop(lock);
        println!("wrote {}", item.connection);
    }
}

//! A folder with a lock, stores in that folder, and a timeout for calls that may hang.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ntro_base::disk::{self, FileLock};
use ntro_base::{ApiKey, ConnectionName};
use ntro_client::config::Config;
use ntro_client::resolve;
use ntro_client::secrets::{
    Error, Item, Keyring, KeyringSettings, Passphrase, PlainKeys, SecretStore, StoreKind,
    StoreSettings,
};
use ntro_client::state::KeyRecords;

use crate::secret_service::SecretService;

/// A folder of `ntro`.
pub struct NtroDir {
    _temporary: tempfile::TempDir,
    pub folder: PathBuf,
}

impl NtroDir {
    pub fn new() -> Self {
        let temporary = tempfile::Builder::new()
            .prefix("ntro-secrets-")
            .tempdir()
            .unwrap();
        let folder = temporary.path().join(".ntro");
        Self {
            _temporary: temporary,
            folder,
        }
    }

    pub fn lock(&self) -> FileLock {
        FileLock::acquire(&self.folder.join(".lock")).unwrap()
    }

    /// Writes `config.toml`.
    pub fn write_config(&self, text: &str) {
        disk::replace(
            &self.folder.join("config.toml"),
            text.as_bytes(),
            &self.lock(),
        )
        .unwrap();
    }

    /// Returns a word that is unique to this folder.
    pub fn unique(&self) -> String {
        let name = self.folder.parent().unwrap().file_name().unwrap();
        let name = name.to_str().unwrap().trim_start_matches("ntro-secrets-");
        format!("{}-{name}", std::process::id())
    }

    /// Returns settings without prompts and without a bus.
    pub fn settings(&self) -> StoreSettings {
        settings(self.folder.clone())
    }

    pub fn settings_for(&self, service: &SecretService) -> StoreSettings {
        let mut settings = self.settings();
        settings.keyring = Keyring::new(keyring(bus(service)));
        settings
    }

    /// Returns every file in the folder except the lock, with its contents.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_name() != ".lock")
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, std::fs::read(entry.path()).unwrap_or_default())
            })
            .collect();
        files.sort();
        files
    }
}

pub fn settings(folder: PathBuf) -> StoreSettings {
    let read = |name: &str| folder.join(name);
    let config = Config::read(&read("config.toml")).unwrap();
    let logins = KeyRecords::read(&read("logins.toml")).unwrap();
    StoreSettings {
        command: resolve::helpers(&config, &logins),
        plain: Arc::new(PlainFile(folder.join("plain.toml"))),
        folder,
        keyring: Keyring::new(keyring(None)),
        identity: None,
        passphrase: Passphrase::none(),
        report: Arc::new(|_| ()),
    }
}

/// Returns settings of a keyring without prompts.
pub fn keyring(session_bus: Option<String>) -> KeyringSettings {
    KeyringSettings {
        timeout: KeyringSettings::TIMEOUT,
        session_bus,
        interactive: false,
    }
}

pub fn bus(service: &SecretService) -> Option<String> {
    service
        .environment()
        .find(|(name, _)| *name == "DBUS_SESSION_BUS_ADDRESS")
        .map(|(_, value)| value.to_owned())
}

pub fn open(kind: StoreKind, settings: &StoreSettings) -> Box<dyn SecretStore> {
    settings.open(kind)
}

pub fn passphrase(text: &str) -> Passphrase {
    Passphrase::from_value(text.into())
}

pub fn item(connection: &str, origin: &str) -> Item {
    Item::new(connection.parse().unwrap(), origin.parse().unwrap())
}

pub fn key(text: &str) -> ApiKey {
    text.parse().unwrap()
}

/// Creates an SSH private key.
pub fn ssh_key(path: &Path, kind: &str, passphrase: &str) {
    disk::create_private_folder(path.parent().unwrap()).unwrap();
    let output = Command::new("ssh-keygen")
        .args(["-q", "-C", "", "-t", kind, "-N", passphrase, "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Fails the test if `work` hangs.
pub fn bounded<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        let outcome = work();
        let _ = done.send(());
        outcome
    });
    if wait.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("hangs");
    }
    thread.join().unwrap()
}

/// Keys in a line-based file instead of `config.toml`.
struct PlainFile(PathBuf);

impl PlainFile {
    fn lines(&self) -> Vec<(String, String)> {
        let bytes = disk::read_bounded(&self.0, 1 << 20)
            .unwrap()
            .unwrap_or_default();
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(connection, key)| (connection.to_owned(), key.to_owned()))
            .collect()
    }
}

impl PlainKeys for PlainFile {
    fn get(&self, connection: &ConnectionName) -> Result<Option<ApiKey>, Error> {
        let lines = self.lines();
        let found = lines.iter().find(|(name, _)| name == connection.as_str());
        Ok(found.map(|(_, key)| key.parse().unwrap()))
    }

    fn set(
        &self,
        connection: &ConnectionName,
        key: Option<&ApiKey>,
        lock: &FileLock,
    ) -> Result<bool, Error> {
        let mut lines = self.lines();
        let before = lines.len();
        lines.retain(|(name, _)| name != connection.as_str());
        let was = lines.len() < before;
        lines.extend(key.map(|key| (connection.to_string(), key.expose().to_owned())));
        let text: String = lines.iter().map(|(c, k)| format!("{c} {k}\n")).collect();
        disk::replace(&self.0, text.as_bytes(), lock)?;
        Ok(was)
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        let lines = self.lines();
        Ok(lines
            .iter()
            .map(|(connection, _)| item(connection, "https://api.ntropii.com"))
            .collect())
    }
}

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{State, StateFile};
use crate::config::{Error, HelperEntry, SafetySettings};
use ntro_base::disk::FileLock;

/// `logins.toml`: which keys `ntro` has stored, and in which store. Holds no key.
///
/// `auth list` reads it instead of the stores. It also keeps what the official clients drop when
/// they rewrite `config.toml`: the store of each connection, its safety settings, and
/// `[stores.command]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KeyRecords {
    #[serde(default, rename = "logins", skip_serializing_if = "BTreeMap::is_empty")]
    records: BTreeMap<String, KeyRecord>,
    #[serde(default, rename = "guards", skip_serializing_if = "BTreeMap::is_empty")]
    safety: BTreeMap<String, SafetySettings>,
    #[serde(default, skip_serializing_if = "RecordedStores::is_empty")]
    stores: RecordedStores,
}

/// The record of one stored key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The store that holds the key.
    pub store: String,
    /// The origin that the key is bound to.
    pub origin: String,
    /// The provider that accepted the key.
    pub provider: String,
    /// The displayable prefix of the key.
    pub key_prefix: String,
    /// When the key was stored.
    pub stored_at: Timestamp,
    /// When the key expires, if the provider reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct RecordedStores {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<HelperEntry>,
}

impl RecordedStores {
    fn is_empty(&self) -> bool {
        self.command.is_none()
    }
}

impl State for KeyRecords {
    const HEAD: &'static str = "which keys it has stored, and where. Holds no key.";

    /// The file stays after the last logout.
    fn is_empty(&self) -> bool {
        false
    }
}

impl KeyRecords {
    /// Reads the records; a missing file has none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        StateFile::at(path).read()
    }

    /// Writes the records, with `[stores.command]` only while a key is in that store.
    pub fn save(&self, path: &Path, lock: &FileLock) -> Result<(), Error> {
        let mut state = self.clone();
        if !self
            .records
            .values()
            .any(|record| record.store == "command")
        {
            state.stores.command = None;
        }
        StateFile::at(path).save(&state, lock)
    }

    /// Returns the helpers of the `command` store, as they were when a key was last stored.
    #[must_use]
    pub fn command(&self) -> Option<&HelperEntry> {
        self.stores.command.as_ref()
    }

    /// Sets the helpers of the `command` store.
    pub fn set_command(&mut self, command: HelperEntry) {
        self.stores.command = Some(command);
    }

    /// Returns the names of all connections that have a record, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// Returns the record of a connection.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&KeyRecord> {
        self.records.get(name)
    }

    /// Sets the record of a connection; returns the one it replaces.
    pub fn insert(&mut self, name: &str, record: KeyRecord) -> Option<KeyRecord> {
        self.records.insert(name.to_owned(), record)
    }

    /// Removes the record of a connection and returns it.
    pub fn remove(&mut self, name: &str) -> Option<KeyRecord> {
        self.records.remove(name)
    }

    /// Returns the recorded safety settings of a connection.
    #[must_use]
    pub fn safety(&self, name: &str) -> SafetySettings {
        self.safety.get(name).copied().unwrap_or_default()
    }

    /// Records the safety settings of a connection; returns whether they changed.
    pub fn set_safety(&mut self, name: &str, safety: SafetySettings) -> bool {
        let before = match safety == SafetySettings::default() {
            true => self.safety.remove(name),
            false => self.safety.insert(name.to_owned(), safety),
        };
        before.unwrap_or_default() != safety
    }

    /// Returns the names of the connections with recorded safety settings.
    pub fn guarded(&self) -> impl Iterator<Item = &str> {
        self.safety.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MissingEntry;

    #[test]
    fn records_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.toml");
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let record = |expires_at| KeyRecord {
            store: "keyring".into(),
            origin: "https://api.ntropii.com".into(),
            provider: "ntropii".into(),
            key_prefix: "ntro_prod_abcd".into(),
            stored_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            expires_at,
        };
        let mut records = KeyRecords::read(&path).unwrap();
        records.insert("local", record(None));
        records.insert(
            "a \"b\".c",
            record(Some("2027-01-01T00:00:00Z".parse().unwrap())),
        );
        records.save(&path, &lock).unwrap();
        let read = KeyRecords::read(&path).unwrap();
        assert_eq!(read.records, records.records);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(
            "# Written by ntro: which keys it has stored, and where. Holds no key.\n\n[logins."
        ));

        // The helpers stay while a key is stored through them.
        let command = HelperEntry {
            get: vec!["pass".into(), "show".into(), "a \"b\"".into()],
            missing: vec![
                MissingEntry::Text("not there".into()),
                MissingEntry::Code(1),
            ],
            timeout: Some(2.5),
            ..HelperEntry::default()
        };
        records.set_command(command.clone());
        records.save(&path, &lock).unwrap();
        assert_eq!(KeyRecords::read(&path).unwrap().command(), None);
        records.insert(
            "there",
            KeyRecord {
                store: "command".into(),
                ..record(None)
            },
        );
        records.save(&path, &lock).unwrap();
        assert_eq!(KeyRecords::read(&path).unwrap().command(), Some(&command));

        records.remove("there");
        records.remove("local");
        records.remove("a \"b\".c");
        records.save(&path, &lock).unwrap();
        assert!(KeyRecords::read(&path).unwrap().records.is_empty());
    }

    #[test]
    fn damage_has_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.toml");
        std::fs::write(&path, "[logins.a]\nstore = 1").unwrap();
        let error = KeyRecords::read(&path).unwrap_err().to_string();
        assert!(error.contains("logins.toml`, line 2, column 9"), "{error}");
    }
}

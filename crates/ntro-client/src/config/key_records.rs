use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use toml_edit::{DocumentMut, Item, Table, value};

use super::error::read_text;
use super::schema::policy;
use super::{Error, HelperEntry};
use ntro_base::Policy;
use ntro_base::disk::{self, FileLock};

/// What `ntro` has stored, and where: one record for each login. Holds no key.
///
/// It makes two things possible. `auth list` can tell who is logged in without touching a store,
/// and a login outlives the official clients' rewriting of `config.toml`, which drops every key
/// there that they do not know. For the same reason it has a copy of `[stores.command]`.
#[derive(Clone, Debug, Default)]
pub struct KeyRecords {
    /// The helpers of the `command` store, as they were when a key was last stored. Written as
    /// long as a key lies there.
    pub command: Option<HelperEntry>,
    records: BTreeMap<String, KeyRecord>,
    guards: BTreeMap<String, SafetySettings>,
}

/// What `config.toml` says of a connection's safety, written down here as well: it is not to vanish
/// with a rewriting of that file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SafetySettings {
    /// What may become of the key.
    #[serde(default, deserialize_with = "policy")]
    pub policy: Option<Policy>,
    /// Whether the connection counts as production.
    #[serde(default)]
    pub production: Option<bool>,
}

/// The record of one login.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KeyRecord {
    /// The store that took the key.
    pub store: String,
    /// The origin that the key is bound to.
    pub origin: String,
    /// The provider that accepted the key.
    pub provider: String,
    /// The displayable head of the key.
    pub key_prefix: String,
    /// When the key was stored.
    pub stored_at: Timestamp,
    /// When the key expires, where the provider told.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    logins: BTreeMap<String, KeyRecord>,
    #[serde(default)]
    guards: BTreeMap<String, SafetySettings>,
    #[serde(default)]
    stores: RecordedStores,
}

#[derive(Default, Deserialize)]
struct RecordedStores {
    #[serde(default)]
    command: Option<HelperEntry>,
}

const HEAD: &str = "# Written by ntro: which keys it has stored, and where. Holds no key.\n";

impl KeyRecords {
    /// Reads the records; a missing file has none.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read or is damaged.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let Some(text) = read_text(path)? else {
            return Ok(Self::default());
        };
        let wire: Wire = toml::from_str(&text)
            .map_err(|error| Error::invalid(path, &text, error.span(), error.message()))?;
        Ok(Self {
            command: wire.stores.command,
            records: wire.logins,
            guards: wire.guards,
        })
    }

    /// Writes the records.
    ///
    /// # Errors
    ///
    /// As [`disk::replace`].
    pub fn save(&self, path: &Path, lock: &FileLock) -> Result<(), Error> {
        let mut records = Table::new();
        records.set_implicit(true);
        for (name, login) in &self.records {
            let mut record = Table::new();
            record["store"] = value(&login.store);
            record["origin"] = value(&login.origin);
            record["provider"] = value(&login.provider);
            record["key_prefix"] = value(&login.key_prefix);
            record["stored_at"] = value(login.stored_at.to_string());
            if let Some(expires_at) = login.expires_at {
                record["expires_at"] = value(expires_at.to_string());
            }
            records.insert(name, Item::Table(record));
        }
        let mut document = DocumentMut::new();
        document.insert("logins", Item::Table(records));
        if !self.guards.is_empty() {
            document.insert("guards", Item::Table(self.safety_as_table()));
        }
        let in_use = self.records.values().any(|login| login.store == "command");
        if let Some(command) = self.command.as_ref().filter(|_| in_use) {
            let mut stores = Table::new();
            stores.set_implicit(true);
            stores.insert("command", Item::Table(command.to_table()));
            document.insert("stores", Item::Table(stores));
        }
        let text = format!("{HEAD}\n{}", document.to_string().trim_start());
        Ok(disk::replace(path, text.as_bytes(), lock)?)
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
    pub fn insert(&mut self, name: &str, login: KeyRecord) -> Option<KeyRecord> {
        self.records.insert(name.to_owned(), login)
    }

    fn safety_as_table(&self) -> Table {
        let mut guards = Table::new();
        guards.set_implicit(true);
        for (name, safety) in &self.guards {
            let mut table = Table::new();
            if let Some(policy) = safety.policy {
                table["policy"] = value(policy.as_str());
            }
            if let Some(production) = safety.production {
                table["production"] = value(production);
            }
            guards.insert(name, Item::Table(table));
        }
        guards
    }

    /// Returns what is written down of a connection's safety.
    #[must_use]
    pub fn safety(&self, name: &str) -> SafetySettings {
        self.guards.get(name).copied().unwrap_or_default()
    }

    /// Writes down what a connection's safety is; returns whether that is new.
    pub fn set_safety(&mut self, name: &str, safety: SafetySettings) -> bool {
        let before = match safety == SafetySettings::default() {
            true => self.guards.remove(name),
            false => self.guards.insert(name.to_owned(), safety),
        };
        before.unwrap_or_default() != safety
    }

    /// Returns the names of the connections of whose safety something is written down.
    pub fn guarded(&self) -> impl Iterator<Item = &str> {
        self.guards.keys().map(String::as_str)
    }

    /// Removes the record of a connection and returns it.
    pub fn remove(&mut self, name: &str) -> Option<KeyRecord> {
        self.records.remove(name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MissingEntry;
    use super::*;

    #[test]
    fn records_come_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.toml");
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let login = |expires_at| KeyRecord {
            store: "keyring".into(),
            origin: "https://api.ntropii.com".into(),
            provider: "ntropii".into(),
            key_prefix: "ntro_prod_abcd".into(),
            stored_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            expires_at,
        };
        let mut records = KeyRecords::read(&path).unwrap();
        records.insert("local", login(None));
        records.insert(
            "a \"b\".c",
            login(Some("2027-01-01T00:00:00Z".parse().unwrap())),
        );
        records.save(&path, &lock).unwrap();
        let read = KeyRecords::read(&path).unwrap();
        assert_eq!(read.records, records.records);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(HEAD));

        // The helpers are kept as long as they lead to a key.
        let command = HelperEntry {
            get: vec!["pass".into(), "show".into(), "a \"b\"".into()],
            missing: vec![
                MissingEntry::Text("not there".into()),
                MissingEntry::Code(1),
            ],
            timeout: Some(2.5),
            ..HelperEntry::default()
        };
        records.command = Some(command.clone());
        records.save(&path, &lock).unwrap();
        assert_eq!(KeyRecords::read(&path).unwrap().command, None);
        records.insert(
            "there",
            KeyRecord {
                store: "command".into(),
                ..login(None)
            },
        );
        records.save(&path, &lock).unwrap();
        assert_eq!(KeyRecords::read(&path).unwrap().command, Some(command));

        records.remove("there");
        records.remove("local");
        records.remove("a \"b\".c");
        records.save(&path, &lock).unwrap();
        assert!(KeyRecords::read(&path).unwrap().records.is_empty());
    }

    #[test]
    fn a_damaged_file_is_placed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.toml");
        std::fs::write(&path, "[logins.a]\nstore = 1").unwrap();
        let error = KeyRecords::read(&path).unwrap_err().to_string();
        assert!(error.contains("logins.toml`, line 2, column 9"), "{error}");
    }
}

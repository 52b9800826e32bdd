//! What survives a kill: which rotations are under way, and of which keys. Never a key itself.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Deserialize;
use toml_edit::{DocumentMut, Item, Table, value};

use crate::config::{Error, NtroDir, read_text};
use ntro_base::disk::{self, FileLock};

/// Every rotation that has begun and not ended, by the name of its connection: `rotations.toml`.
///
/// The file is there only while there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotations {
    records: BTreeMap<String, Unfinished>,
}

/// How a new key is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The key mints its successor.
    Itself,
    /// An administrator makes it.
    Admin,
    /// A person makes it elsewhere and brings it here.
    Walkthrough,
}

/// A rotation that has begun.
///
/// Every member is written down before the step that needs it after a kill.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Unfinished {
    /// How the new key is had.
    #[serde(deserialize_with = "method")]
    pub method: Method,
    /// The provider of the connection.
    pub provider: String,
    /// The origin that both keys are bound to.
    pub origin: String,
    /// The store that holds the one or the other.
    pub store: String,
    /// Names the attempt to the server, and is part of the name of a key that an administrator
    /// makes.
    pub nonce: String,
    /// The tenant whose keys an administrator manages.
    #[serde(default)]
    pub tenant: Option<String>,
    /// What an administrator asks for, to ask for the same again.
    #[serde(default)]
    pub asked: Option<Asked>,
    /// The displayable head of the key that is replaced.
    pub old_prefix: String,
    /// Its id, where the server told.
    #[serde(default)]
    pub old_id: Option<String>,
    /// The displayable head of the key that replaces it; there before the key is stored.
    #[serde(default)]
    pub new_prefix: Option<String>,
    /// Its id, where the server told.
    #[serde(default)]
    pub new_id: Option<String>,
    /// When the rotation began.
    pub started_at: Timestamp,
    /// How many seconds the old key is to live on after the new one is in its place.
    #[serde(default)]
    pub grace: u64,
    /// From when on the old key is to be revoked; there once the new one is in its place.
    #[serde(default)]
    pub revoke_after: Option<Timestamp>,
}

/// What a key that an administrator makes is to be like.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Asked {
    /// Its display name.
    pub name: String,
    /// Its scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// In how many days it ends.
    #[serde(default)]
    pub expires_in_days: Option<u32>,
    /// Whether it may rotate itself.
    pub may_rotate: bool,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    rotations: BTreeMap<String, Unfinished>,
}

const HEAD: &str = "# Written by ntro: rotations of keys that are not finished. Holds no key.\n";

impl Rotations {
    /// Reads what is under way; a missing file has nothing.
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
            records: wire.rotations,
        })
    }

    /// Returns the rotation of a connection's key, if one is under way.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Unfinished> {
        self.records.get(name)
    }

    /// Returns everything that is under way, by connection.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Unfinished)> {
        self.records
            .iter()
            .map(|(name, record)| (name.as_str(), record))
    }

    /// Writes down how far the rotation of a connection's key has got.
    pub(super) fn record(
        home: &NtroDir,
        name: &str,
        record: &Unfinished,
        lock: &FileLock,
    ) -> Result<(), Error> {
        let mut rotations = Self::read(&home.rotations())?;
        rotations.records.insert(name.to_owned(), record.clone());
        rotations.save(&home.rotations(), lock)
    }

    /// Writes down that the rotation of a connection's key has ended. Returns what was recorded of it.
    pub(super) fn end(
        home: &NtroDir,
        name: &str,
        lock: &FileLock,
    ) -> Result<Option<Unfinished>, Error> {
        let mut rotations = Self::read(&home.rotations())?;
        let ended = rotations.records.remove(name);
        if ended.is_some() {
            rotations.save(&home.rotations(), lock)?;
        }
        Ok(ended)
    }

    fn save(&self, path: &Path, lock: &FileLock) -> Result<(), Error> {
        if self.records.is_empty() {
            return Ok(disk::remove(path, lock)?);
        }
        let mut records = Table::new();
        records.set_implicit(true);
        for (name, record) in &self.records {
            records.insert(name, Item::Table(record.to_table()));
        }
        let mut document = DocumentMut::new();
        document.insert("rotations", Item::Table(records));
        let text = format!("{HEAD}\n{}", document.to_string().trim_start());
        Ok(disk::replace(path, text.as_bytes(), lock)?)
    }
}

impl Unfinished {
    fn to_table(&self) -> Table {
        let mut table = Table::new();
        let texts = [
            ("method", Some(self.method.as_str())),
            ("provider", Some(self.provider.as_str())),
            ("origin", Some(self.origin.as_str())),
            ("store", Some(self.store.as_str())),
            ("nonce", Some(self.nonce.as_str())),
            ("tenant", self.tenant.as_deref()),
            ("old_prefix", Some(self.old_prefix.as_str())),
            ("old_id", self.old_id.as_deref()),
            ("new_prefix", self.new_prefix.as_deref()),
            ("new_id", self.new_id.as_deref()),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                table[key] = value(text);
            }
        }
        table["started_at"] = value(self.started_at.to_string());
        if self.grace > 0 {
            table["grace"] = value(i64::try_from(self.grace).unwrap_or(i64::MAX));
        }
        if let Some(at) = self.revoke_after {
            table["revoke_after"] = value(at.to_string());
        }
        if let Some(asked) = &self.asked {
            let mut request = Table::new();
            request["name"] = value(&asked.name);
            request["scopes"] = value(asked.scopes.iter().collect::<toml_edit::Array>());
            if let Some(days) = asked.expires_in_days {
                request["expires_in_days"] = value(i64::from(days));
            }
            request["may_rotate"] = value(asked.may_rotate);
            table.insert("asked", Item::Table(request));
        }
        table
    }
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Itself, Self::Admin, Self::Walkthrough];

    /// Returns the name used in the journal and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "self",
            Self::Admin => "admin",
            Self::Walkthrough => "walkthrough",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no [`Method`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `self`, `admin` or `walkthrough`")]
pub struct UnknownMethod;

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|method| method.as_str() == text)
            .ok_or(UnknownMethod)
    }
}

fn method<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn record(method: Method) -> Unfinished {
        Unfinished {
            method,
            provider: "ontora".into(),
            origin: "https://api.ontora.com".into(),
            store: "keyring".into(),
            nonce: "1a2b3c4d5e6f7081".into(),
            tenant: None,
            asked: None,
            old_prefix: "ont_live_old".into(),
            old_id: None,
            new_prefix: None,
            new_id: None,
            started_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            grace: 0,
            revoke_after: None,
        }
    }

    #[test]
    fn records_come_back_as_written_and_the_last_one_takes_the_file_along() {
        let folder = tempfile::tempdir().unwrap();
        let home = NtroDir::at(folder.path());
        let lock = home.lock().unwrap();
        let full = Unfinished {
            tenant: Some("ws 1".into()),
            asked: Some(Asked {
                name: "CI (ntro 1a2b3c4d5e6f7081)".into(),
                scopes: vec!["exports".into(), "mcp".into()],
                expires_in_days: Some(90),
                may_rotate: false,
            }),
            old_id: Some("k1".into()),
            new_prefix: Some("ont_live_new".into()),
            new_id: Some("k2".into()),
            grace: 600,
            revoke_after: Some("2026-01-02T03:14:05Z".parse().unwrap()),
            ..record(Method::Admin)
        };
        let bare = record(Method::Itself);
        Rotations::record(&home, "local", &bare, &lock).unwrap();
        Rotations::record(&home, "a \"b\".c", &full, &lock).unwrap();
        let text = std::fs::read_to_string(home.rotations()).unwrap();
        assert!(text.starts_with(HEAD), "{text}");
        let read = Rotations::read(&home.rotations()).unwrap();
        assert_eq!(read.get("local"), Some(&bare));
        assert_eq!(read.get("a \"b\".c"), Some(&full));
        assert_eq!(read.iter().count(), 2);

        let ended = Rotations::end(&home, "local", &lock).unwrap();
        assert_eq!(ended, Some(bare));
        assert_eq!(Rotations::end(&home, "local", &lock).unwrap(), None);
        Rotations::end(&home, "a \"b\".c", &lock).unwrap();
        assert!(!home.rotations().exists());
        assert_eq!(
            Rotations::read(&home.rotations()).unwrap(),
            Rotations::default()
        );
    }

    #[test]
    fn what_is_damaged_is_placed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rotations.toml");
        for (text, place) in [
            (
                "[rotations.a]\nmethod = \"magic\"",
                "line 2, column 10: expected `self`",
            ),
            (
                "[rotations.a]\nmethod = \"self\"",
                "line 1, column 1: missing field",
            ),
            ("rotations = 1", "line 1, column 13"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Rotations::read(&path).unwrap_err().to_string();
            assert!(
                error.contains("rotations.toml`") && error.contains(place),
                "{error}"
            );
        }
    }
}

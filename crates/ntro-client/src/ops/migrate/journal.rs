use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use super::KeyLocation;
use crate::config::Error;
use crate::secrets::StoreKind;
use crate::state::{State, StateFile, text};
use ntro_base::disk::FileLock;
use ntro_base::{KeyPrefix, Origin};

/// `migrations.toml`: the unfinished migrations, by connection. Holds no key.
///
/// A migration is recorded before its first change and removed after its last, so a killed one
/// leaves a record of where copies of the key may be. The file exists only while a migration is
/// unfinished.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
    moves: Moves,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Moves {
    #[serde(default)]
    migrations: BTreeMap<String, Begun>,
}

/// One unfinished migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The locations that lose the key.
    pub from: Vec<KeyLocation>,
    /// The store that gets the key.
    #[serde(with = "text")]
    pub to: StoreKind,
    /// The origin that the key is bound to.
    #[serde(with = "text")]
    pub origin: Origin,
    /// The displayable prefix of the key.
    #[serde(serialize_with = "text::serialize", deserialize_with = "key_prefix")]
    pub key_prefix: KeyPrefix,
    /// Whether the file of Ontora's official client keeps its key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

impl State for Moves {
    const HEAD: &'static str = "keys on their way from one store to another. Holds no key.";

    fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }
}

impl Journal {
    /// Reads the journal; a missing file has no migrations.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            moves: StateFile::at(path).read()?,
        })
    }

    /// Returns the unfinished migration of a connection.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Begun> {
        self.moves.migrations.get(name)
    }

    /// Returns the connections that have an unfinished migration, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.moves.migrations.keys().map(String::as_str)
    }

    /// Records a migration before its first change.
    pub(super) fn begin(&mut self, name: &str, begun: Begun, lock: &FileLock) -> Result<(), Error> {
        if self.get(name) == Some(&begun) {
            return Ok(());
        }
        self.moves.migrations.insert(name.to_owned(), begun);
        self.save(lock)
    }

    /// Removes the record of a migration after its last change.
    pub(super) fn end(&mut self, name: &str, lock: &FileLock) -> Result<(), Error> {
        match self.moves.migrations.remove(name) {
            Some(_) => self.save(lock),
            None => Ok(()),
        }
    }

    fn save(&self, lock: &FileLock) -> Result<(), Error> {
        StateFile::at(&self.path).save(&self.moves, lock)
    }
}

fn key_prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyPrefix, D::Error> {
    String::deserialize(deserializer).map(|text| KeyPrefix::recorded(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("migrations.toml");
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let begun = |keep| Begun {
            from: vec![
                KeyLocation::Store(StoreKind::Plaintext),
                KeyLocation::Ontora,
            ],
            to: StoreKind::File,
            origin: "https://api.ontora.com".parse().unwrap(),
            key_prefix: KeyPrefix::recorded("ont_live_abcd"),
            keep,
        };
        let mut journal = Journal::read(&path).unwrap();
        journal.begin("a \"b\".c", begun(false), &lock).unwrap();
        journal.begin("ontora", begun(true), &lock).unwrap();
        let expected =
            "# Written by ntro: keys on their way from one store to another. Holds no key.

[migrations.'a \"b\".c']
from = [\"plaintext\", \"ontora\"]
to = \"file\"
origin = \"https://api.ontora.com\"
key_prefix = \"ont_live_abcd\"

[migrations.ontora]
from = [\"plaintext\", \"ontora\"]
to = \"file\"
origin = \"https://api.ontora.com\"
key_prefix = \"ont_live_abcd\"
keep = true
";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        let mut read = Journal::read(&path).unwrap();
        assert_eq!(read.moves, journal.moves);
        read.end("ontora", &lock).unwrap();
        assert_eq!(
            Journal::read(&path).unwrap().names().collect::<Vec<_>>(),
            ["a \"b\".c"]
        );
        read.end("a \"b\".c", &lock).unwrap();
        assert!(!path.exists());
        read.end("a \"b\".c", &lock).unwrap();
    }

    #[test]
    fn damage_has_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("migrations.toml");
        for (text, expected) in [
            (
                "[migrations.a]\nto = 3",
                "migrations.toml`, line 2, column 6",
            ),
            (
                "[migrations.a]\nfrom = ['safe']\nto = 'file'\norigin = 'https://a'\nkey_prefix = 'k'",
                "migrations.toml`, line 2, column 8: unknown store `safe`",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Journal::read(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

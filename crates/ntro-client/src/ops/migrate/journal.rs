use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml_edit::{Array, DocumentMut, Item, Table, value};
use zeroize::Zeroizing;

use super::KeyLocation;
use crate::config;
use crate::secrets::{StoreKind, UnknownStore};
use ntro_base::disk::{self, FileLock};
use ntro_base::{HostError, KeyPrefix, Origin};

/// `migrations.toml`: the moves that were begun and not ended. Holds no key.
///
/// A move is written down before anything is changed and taken out when nothing is left to do, so
/// whoever was killed in between has left a note on where copies of the key may lie. With no move
/// under way there is no file.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
    moves: BTreeMap<String, Begun>,
}

/// One move that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The places that are to have no key when it ends.
    pub from: Vec<KeyLocation>,
    /// The store that is to have it.
    pub to: StoreKind,
    /// The origin that the key is bound to.
    pub origin: Origin,
    /// The head of the key.
    pub key_prefix: KeyPrefix,
    /// Whether the file of Ontora's official client is read and left as it is.
    pub keep: bool,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    migrations: BTreeMap<String, WireBegun>,
}

#[derive(Deserialize)]
struct WireBegun {
    from: Vec<String>,
    to: String,
    origin: String,
    key_prefix: String,
    #[serde(default)]
    keep: bool,
}

const HEAD: &str =
    "# Written by ntro: keys on their way from one store to another. Holds no key.\n";

impl Journal {
    /// Reads the journal; a missing file has no moves.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read or is damaged.
    pub fn read(path: &Path) -> Result<Self, config::Error> {
        let mut journal = Self {
            path: path.to_owned(),
            moves: BTreeMap::new(),
        };
        let Some(text) = config::read_text(path)? else {
            return Ok(journal);
        };
        let wire: Wire = toml::from_str(&text)
            .map_err(|error| config::Error::invalid(path, &text, error.span(), error.message()))?;
        for (name, begun) in wire.migrations {
            let begun = begun.parse().map_err(|message| {
                let message = format!("the migration of `{name}`: {message}");
                config::Error::invalid(path, &text, None, &message)
            })?;
            journal.moves.insert(name, begun);
        }
        Ok(journal)
    }

    /// Returns the unfinished move of a connection.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Begun> {
        self.moves.get(name)
    }

    /// Returns the connections that have an unfinished move, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.moves.keys().map(String::as_str)
    }

    /// Writes down that a move begins, before anything is changed.
    pub(super) fn begin(
        &mut self,
        name: &str,
        begun: Begun,
        lock: &FileLock,
    ) -> Result<(), config::Error> {
        if self.moves.get(name) == Some(&begun) {
            return Ok(());
        }
        self.moves.insert(name.to_owned(), begun);
        self.save(lock)
    }

    /// Takes a move out, after everything is done.
    pub(super) fn end(&mut self, name: &str, lock: &FileLock) -> Result<(), config::Error> {
        match self.moves.remove(name) {
            Some(_) if self.moves.is_empty() => Ok(disk::remove(&self.path, lock)?),
            Some(_) => self.save(lock),
            None => Ok(()),
        }
    }

    fn save(&self, lock: &FileLock) -> Result<(), config::Error> {
        let mut moves = Table::new();
        moves.set_implicit(true);
        for (name, begun) in &self.moves {
            let mut table = Table::new();
            let from: Array = begun.from.iter().map(|place| place.as_str()).collect();
            table["from"] = value(from);
            table["to"] = value(begun.to.as_str());
            table["origin"] = value(begun.origin.as_str());
            table["key_prefix"] = value(begun.key_prefix.as_str());
            if begun.keep {
                table["keep"] = value(true);
            }
            moves.insert(name, Item::Table(table));
        }
        let mut document = DocumentMut::new();
        document.insert("migrations", Item::Table(moves));
        let text = Zeroizing::new(format!("{HEAD}\n{}", document.to_string().trim_start()));
        Ok(disk::replace(&self.path, text.as_bytes(), lock)?)
    }
}

impl WireBegun {
    fn parse(&self) -> Result<Begun, String> {
        let from = self.from.iter().map(|place| place.parse::<KeyLocation>());
        let from: Result<_, _> = from.collect();
        Ok(Begun {
            from: from.map_err(|error| error.to_string())?,
            to: self
                .to
                .parse()
                .map_err(|error: UnknownStore| error.to_string())?,
            origin: self
                .origin
                .parse()
                .map_err(|error: HostError| error.to_string())?,
            key_prefix: KeyPrefix::recorded(&self.key_prefix),
            keep: self.keep,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_come_back_as_written_and_the_last_takes_the_file_along() {
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
    fn a_damaged_journal_is_placed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("migrations.toml");
        for (text, expected) in [
            (
                "[migrations.a]\nto = 3",
                "migrations.toml`, line 2, column 6",
            ),
            (
                "[migrations.a]\nfrom = ['safe']\nto = 'file'\norigin = 'https://a'\nkey_prefix = 'k'",
                "the migration of `a`: unknown store `safe`",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Journal::read(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

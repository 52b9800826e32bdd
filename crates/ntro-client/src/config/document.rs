mod lines;

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Key, Table, TableLike, Value};
use zeroize::Zeroizing;

use super::Error;
use super::error::read_text;
use lines::LineEndings;
use ntro_base::disk::{self, FileLock};

const CONNECTIONS: &str = "connections";

/// A TOML file edited in place: comments, order and unknown keys are kept.
///
/// Reading needs no lock, saving does. A writer must read the file after taking the lock, or it
/// overwrites the changes of another process.
#[derive(Debug)]
pub struct Document {
    path: PathBuf,
    document: DocumentMut,
    endings: LineEndings,
}

impl Document {
    /// Reads the file for editing; a missing one is empty.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_text(path)?.unwrap_or_default();
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let document = text
            .parse::<DocumentMut>()
            .map_err(|error| Error::invalid(path, text, error.span(), error.message()))?;
        Ok(Self {
            path: path.to_owned(),
            document,
            endings: LineEndings::of(text),
        })
    }

    /// Writes the file.
    pub fn save(&self, lock: &FileLock) -> Result<(), Error> {
        Ok(disk::replace(&self.path, self.text().as_bytes(), lock)?)
    }

    fn text(&self) -> Zeroizing<String> {
        self.endings.restored(self.document.to_string().into())
    }

    /// Sets `default_connection_name`.
    pub fn set_default(&mut self, name: &str) {
        set(
            self.document.as_table_mut(),
            "default_connection_name",
            name.into(),
        );
    }

    /// Returns `default_connection_name`.
    #[must_use]
    pub fn default_name(&self) -> Option<&str> {
        self.document.get("default_connection_name")?.as_str()
    }

    /// Removes `default_connection_name`.
    pub fn unset_default(&mut self) {
        self.document.remove("default_connection_name");
    }

    /// Returns whether the connection exists.
    #[must_use]
    pub fn has_connection(&self, name: &str) -> bool {
        self.document
            .get(CONNECTIONS)
            .and_then(Item::as_table_like)
            .is_some_and(|connections| connections.contains_key(name))
    }

    /// Sets a key of a connection, creating the connection if it is new. Fails if something other
    /// than a table is in its place.
    pub fn set(&mut self, name: &str, key: &str, value: impl Into<Value>) -> Result<(), Error> {
        set(self.connection(name)?, key, value.into());
        Ok(())
    }

    /// Removes a key of a connection, if it exists.
    pub fn unset(&mut self, name: &str, key: &str) -> Result<(), Error> {
        if self.has_connection(name) {
            self.connection(name)?.remove(key);
        }
        Ok(())
    }

    /// Removes a connection and the comment above it; returns whether it existed.
    pub fn remove_connection(&mut self, name: &str) -> Result<bool, Error> {
        Ok(self.connections()?.remove(name).is_some())
    }

    /// Renames a connection, keeping its position.
    pub fn rename_connection(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let path = self.path.clone();
        let connections = self.connections()?;
        let missing = || Error::NoConnection {
            path,
            name: from.to_owned(),
        };
        let old = connections
            .get_key_value(from)
            .ok_or_else(missing)?
            .0
            .clone();
        // Tables written as `[connections.x]` know their position in the file. Inline entries are
        // kept in order by removing and reinserting all of them.
        let names: Vec<String> = connections
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect();
        let entries: Vec<(Key, Item)> = names
            .iter()
            .filter_map(|name| {
                let key = connections.key(name)?.clone();
                Some((key, connections.remove(name)?))
            })
            .collect();
        for (key, item) in entries {
            let key = if key == old {
                Key::new(to)
                    .with_leaf_decor(key.leaf_decor().clone())
                    .with_dotted_decor(key.dotted_decor().clone())
            } else {
                key
            };
            connections.entry_format(&key).or_insert(item);
        }
        Ok(())
    }

    fn connections(&mut self) -> Result<&mut dyn TableLike, Error> {
        let path = &self.path;
        self.document
            .entry(CONNECTIONS)
            .or_insert_with(|| {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            })
            .as_table_like_mut()
            .ok_or_else(|| Error::NotATable {
                path: path.clone(),
                key: CONNECTIONS.to_owned(),
            })
    }

    fn connection(&mut self, name: &str) -> Result<&mut dyn TableLike, Error> {
        let path = self.path.clone();
        let inline = self
            .document
            .get(CONNECTIONS)
            .is_some_and(Item::is_inline_table);
        let connections = self.connections()?;
        connections
            .entry(name)
            .or_insert_with(|| {
                if inline {
                    return toml_edit::value(toml_edit::InlineTable::new());
                }
                Item::Table(Table::new())
            })
            .as_table_like_mut()
            .ok_or_else(|| Error::NotATable {
                path,
                key: format!("{CONNECTIONS}.{name}"),
            })
    }
}

/// Sets a value, keeping the comment after the old one.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => {
            table.insert(key, Item::Value(value));
        }
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"# mine
default_connection_name = "local" # for now

[tool]
x = 1

# the first
[connections.local] # here
# its host
host = "http://localhost:3000/v1" # loopback
colour = "red"

# the second
[connections."a b"]
host = 'https://a.example' # a

[[list]]
y = 2
# the end
"#;

    fn edited(text: &str, edit: impl FnOnce(&mut Document)) -> String {
        let mut document = Document::parse(Path::new("config.toml"), text).unwrap();
        edit(&mut document);
        document.text().to_string()
    }

    #[test]
    fn unedited_document_is_unchanged() {
        assert_eq!(edited(FILE, |_| ()), FILE);
    }

    #[test]
    fn changed_value_keeps_comments() {
        let text = edited(FILE, |document| {
            document
                .set("local", "host", "https://new.example")
                .unwrap();
            document.set_default("a b");
        });
        let expected = FILE
            .replace("http://localhost:3000/v1", "https://new.example")
            .replace("= \"local\"", "= \"a b\"");
        assert_eq!(text, expected);
    }

    #[test]
    fn new_connection_gets_own_table() {
        let text = edited("", |document| {
            document.set_default("local");
            document
                .set("local", "host", "http://localhost:3000/v1")
                .unwrap();
        });
        assert_eq!(
            text,
            "default_connection_name = \"local\"\n\n[connections.local]\nhost = \"http://localhost:3000/v1\"\n"
        );
        let text = edited(FILE, |document| document.set("new", "host", "x").unwrap());
        assert!(text.starts_with(FILE.split("[[list]]").next().unwrap()));
        assert!(text.contains("[connections.new]\nhost = \"x\"\n"), "{text}");
    }

    #[test]
    fn removal_keeps_everything_else() {
        let text = edited(FILE, |document| {
            assert!(document.remove_connection("local").unwrap());
            assert!(!document.remove_connection("local").unwrap());
        });
        let (head, rest) = FILE.split_once("\n# the first").unwrap();
        let (_, tail) = rest.split_once("\"red\"\n").unwrap();
        assert_eq!(text, format!("{head}{tail}"));
        let text = edited(FILE, |document| {
            document.unset("local", "colour").unwrap();
            document.unset("absent", "colour").unwrap();
        });
        assert_eq!(text, FILE.replace("colour = \"red\"\n", ""));
    }

    #[test]
    fn rename_keeps_position() {
        let text = edited(FILE, |document| {
            document.rename_connection("local", "here").unwrap()
        });
        assert_eq!(
            text,
            FILE.replace("[connections.local]", "[connections.here]")
        );
        let inside =
            "[connections]\n# one\na = { host = \"x\" } # a\n# two\nb.host = \"y\"\nc = {}\n";
        let text = edited(inside, |document| {
            document.rename_connection("a", "z").unwrap()
        });
        assert_eq!(text, inside.replace("\na = ", "\nz = "));
        let inline = "connections = { a = { host = \"x\" }, b = {} }\n";
        let text = edited(inline, |document| {
            document.rename_connection("a", "z").unwrap();
            document.set("new", "host", "n").unwrap();
        });
        assert!(
            text.starts_with("connections = { z = { host = \"x\" }, b = {}"),
            "{text}"
        );
        assert!(text.contains("new = { host = \"n\" }"), "{text}");
    }

    #[test]
    fn other_types_are_never_overwritten() {
        for (text, key) in [
            ("connections = 3", "connections"),
            ("connections.a = 3", "connections.a"),
        ] {
            let mut document = Document::parse(Path::new("config.toml"), text).unwrap();
            let error = document.set("a", "host", "x").unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains(&format!("`{key}` is not a table")),
                "{error}"
            );
            assert_eq!(document.document.to_string().trim_end(), text);
        }
    }
}

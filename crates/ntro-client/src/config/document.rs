mod index;
mod layout;
mod meaning;
mod value;

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::Error;
use super::error::read_text;
use index::{Hit, Index, Lines, PairHit};
use layout::Splice;
use meaning::Edit;
use ntro_base::disk::{self, FileLock};
pub use value::Value;

const CONNECTIONS: &str = "connections";
const DEFAULT: &str = "default_connection_name";

/// A TOML file edited in place: an edit replaces the text of what it changes and nothing else.
///
/// A comment that touches the statement below it belongs to that, and goes with it. Any other
/// comment belongs to the file.
///
/// Reading needs no lock, saving does. A writer must read the file after taking the lock, or it
/// overwrites the changes of another process.
pub struct Document {
    path: PathBuf,
    before: Zeroizing<String>,
    text: Zeroizing<String>,
    index: Index,
    edits: Vec<Edit>,
}

/// A [`Document`] whose text is known to say what the edits mean.
pub struct EditedDocument {
    path: PathBuf,
    /// `None` if nothing has changed.
    text: Option<Zeroizing<String>>,
}

impl EditedDocument {
    /// Returns whether the edits change nothing.
    pub(crate) fn is_same(&self) -> bool {
        self.text.is_none()
    }

    /// Writes the file, unless nothing has changed.
    pub fn save(&self, lock: &FileLock) -> Result<(), Error> {
        match &self.text {
            Some(text) => Ok(disk::replace(&self.path, text.as_bytes(), lock)?),
            None => Ok(()),
        }
    }
}

impl Document {
    /// Reads the file for editing; a missing one is empty.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_text(path)?.unwrap_or_default();
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: Zeroizing<String>) -> Result<Self, Error> {
        DeTable::parse(&text)
            .map_err(|error| Error::invalid(path, &text, error.span(), error.message()))?;
        Ok(Self {
            path: path.to_owned(),
            index: Index::of(&text),
            before: text.clone(),
            text,
            edits: Vec::new(),
        })
    }

    /// Parses the edited text, and checks that nothing but the edits has changed what it says.
    pub fn finish(self) -> Result<EditedDocument, Error> {
        let is_same = self.text == self.before;
        if !is_same && !meaning::is_edited(&self.before, &self.edits, &self.text) {
            return Err(Error::Entangled { path: self.path });
        }
        Ok(EditedDocument {
            path: self.path,
            text: (!is_same).then_some(self.text),
        })
    }

    /// Sets `default_connection_name`.
    pub fn set_default(&mut self, name: &str) {
        let literal = Value::from(name).literal();
        let splice = match (self.default_value(), self.index.root.last()) {
            (Some(value), _) => Splice::new(value, literal),
            (None, last) => {
                let line = format!("{DEFAULT} = {}", *literal);
                match last {
                    Some(pair) => layout::line_at(&self.text, pair.lines.end, &line),
                    None => layout::first_line(&self.text, &self.index, &line),
                }
            }
        };
        self.apply(Edit::Default(Some(name.to_owned())), vec![splice]);
    }

    /// Returns `default_connection_name`.
    #[must_use]
    pub fn default_name(&self) -> Option<String> {
        let value = DeValue::parse(&self.text[self.default_value()?]).ok()?;
        value.get_ref().as_str().map(str::to_owned)
    }

    /// Removes `default_connection_name`.
    pub fn unset_default(&mut self) {
        self.cut(&[DEFAULT]);
        self.edits.push(Edit::Default(None));
    }

    /// Returns whether the connection exists.
    #[must_use]
    pub fn has_connection(&self, name: &str) -> bool {
        !self.index.find(&[CONNECTIONS, name]).is_empty()
    }

    /// Sets a key of a connection, creating the connection if it is new. Fails if something other
    /// than a table is in its place.
    pub fn set(&mut self, name: &str, key: &str, value: impl Into<Value>) -> Result<(), Error> {
        self.set_each(key, [(name, value)])
    }

    /// Sets a key of several connections, each once.
    pub fn set_each<'a>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = (&'a str, impl Into<Value>)>,
    ) -> Result<(), Error> {
        let mut splices = Vec::new();
        for (name, value) in values {
            let value = value.into();
            splices.push(self.setting(name, key, &value)?);
            let (name, key) = (name.to_owned(), key.to_owned());
            self.edits.push(Edit::Set { name, key, value });
        }
        self.splice(splices);
        Ok(())
    }

    /// Removes a key of a connection, if it exists.
    pub fn unset(&mut self, name: &str, key: &str) {
        self.cut(&[CONNECTIONS, name, key]);
        let (name, key) = (name.to_owned(), key.to_owned());
        self.edits.push(Edit::Unset { name, key });
    }

    /// Removes a connection and the comments that belong to it; returns whether it existed.
    pub fn remove_connection(&mut self, name: &str) -> bool {
        let existed = self.cut(&[CONNECTIONS, name]);
        self.edits.push(Edit::Remove(name.to_owned()));
        existed
    }

    /// Renames a connection, keeping its position.
    pub fn rename_connection(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let path = [CONNECTIONS, from];
        let hits = self.index.find(&path);
        let renamed: Vec<_> = hits
            .iter()
            .filter_map(|hit| match hit {
                Hit::Section(section) => section.keys.get(path.len() - 1),
                Hit::Pair(hit) => hit.pair.keys.get(hit.depth - 1),
            })
            .map(|key| Splice::new(key.span.clone(), value::key(to)))
            .collect();
        if renamed.is_empty() {
            return Err(Error::NoConnection {
                path: self.path.clone(),
                name: from.to_owned(),
            });
        }
        let (from, to) = (from.to_owned(), to.to_owned());
        self.apply(Edit::Rename { from, to }, renamed);
        Ok(())
    }

    fn default_value(&self) -> Option<Range<usize>> {
        let mut pairs = self.index.root.iter();
        let pair = pairs.find(|pair| pair.keys.len() == 1 && pair.keys[0].name == DEFAULT)?;
        Some(pair.value.clone())
    }

    fn require_table(&self, path: &[&str]) -> Result<(), Error> {
        let is_other = self.index.find(path).iter().any(|hit| match hit {
            Hit::Section(section) => section.is_array && section.keys.len() == path.len(),
            Hit::Pair(hit) => hit.is_exact() && hit.pair.inline.is_none(),
        });
        match is_other {
            false => Ok(()),
            true => Err(Error::NotATable {
                path: self.path.clone(),
                key: path.join("."),
            }),
        }
    }

    fn setting(&self, name: &str, key: &str, value: &Value) -> Result<Splice, Error> {
        self.require_table(&[CONNECTIONS])?;
        self.require_table(&[CONNECTIONS, name])?;
        match &self.index.find(&[CONNECTIONS, name, key])[..] {
            [Hit::Pair(hit)] if hit.is_exact() => {
                Ok(Splice::new(hit.pair.value.clone(), value.literal()))
            }
            [] => Ok(self.addition(name, key, value)),
            _ => Err(Error::Entangled {
                path: self.path.clone(),
            }),
        }
    }

    /// Returns the text of a new key, at the end of its connection.
    fn addition(&self, name: &str, key: &str, value: &Value) -> Splice {
        let text = &self.text;
        let entry = layout::entry(key, value);
        let hits = self.index.find(&[CONNECTIONS, name]);
        let own = hits.iter().find_map(|hit| match hit {
            Hit::Section(section) if section.keys.len() == 2 => Some(section),
            _ => None,
        });
        let pair = hits.iter().rev().find_map(|hit| match hit {
            Hit::Pair(hit) => Some(hit),
            Hit::Section(_) => None,
        });
        match (own, pair, hits.first()) {
            (Some(section), ..) => {
                let (indent, end) = match section.pairs.last() {
                    Some(pair) => (pair.lines.start..pair.keys[0].span.start, pair.lines.end),
                    None => (0..0, section.header.end),
                };
                layout::line_at(text, end, &format!("{}{}", &text[indent], *entry))
            }
            (_, Some(hit), _) if hit.is_exact() => layout::inside(text, hit.pair, &entry),
            (_, Some(hit), _) => {
                let keys = &hit.pair.keys;
                let prefix = &text[keys[0].span.start..keys[hit.depth - 1].span.end];
                let entry = format!("{prefix}.{}", *entry);
                match hit.siblings {
                    Some(_) => Splice::insert(hit.pair.value.end, &format!(", {entry}")),
                    None => {
                        let Lines { start, end, .. } = hit.pair.lines;
                        let indent = &text[start..keys[0].span.start];
                        layout::line_at(text, end, &format!("{indent}{entry}"))
                    }
                }
            }
            // Only tables in it have a header.
            (_, _, Some(Hit::Section(section))) => {
                let at = layout::block(text, section.header).start;
                layout::section_before(text, at, name, &entry)
            }
            _ => self.new_connection(name, &entry),
        }
    }

    fn new_connection(&self, name: &str, entry: &str) -> Splice {
        let hits = self.index.find(&[CONNECTIONS]);
        if let Some(Hit::Pair(hit)) = hits.first()
            && hit.is_exact()
        {
            let connection = format!("{} = {{ {entry} }}", *value::key(name));
            return layout::inside(&self.text, hit.pair, &connection);
        }
        let last = hits.iter().rev().find_map(|hit| match hit {
            Hit::Section(section) => Some(*section),
            Hit::Pair(_) => None,
        });
        let at = layout::end_of(&self.text, &self.index, last);
        layout::section_after(&self.text, at, name, entry)
    }

    /// Removes every statement that defines the table or value at `path`; returns whether there was
    /// one.
    fn cut(&mut self, path: &[&str]) -> bool {
        let mut existed = false;
        loop {
            let hits = self.index.find(path);
            existed |= !hits.is_empty();
            let inline = hits.iter().find_map(|hit| match hit {
                Hit::Pair(PairHit {
                    pair,
                    siblings: Some(siblings),
                    ..
                }) => Some(layout::removal_inside(&self.text, pair, siblings)),
                _ => None,
            });
            let is_last = inline.is_none();
            let splices = inline.unwrap_or_else(|| layout::removal(&self.text, &hits));
            self.splice(splices);
            if is_last {
                return existed;
            }
        }
    }

    fn apply(&mut self, edit: Edit, splices: Vec<Splice>) {
        self.splice(splices);
        self.edits.push(edit);
    }

    fn splice(&mut self, splices: Vec<Splice>) {
        if !splices.is_empty() {
            self.text = layout::spliced(&self.text, splices);
            self.index = Index::of(&self.text);
        }
    }
}

impl std::fmt::Debug for Document {
    /// Shows no text: it may hold keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for EditedDocument {
    /// Shows no text: it may hold keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EditedDocument")
            .field("path", &self.path)
            .finish_non_exhaustive()
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
        let mut document = parse(text);
        edit(&mut document);
        let edited = document.text.to_string();
        let finished = document.finish().unwrap();
        assert_eq!(finished.text.is_some(), edited != text);
        edited
    }

    fn parse(text: &str) -> Document {
        Document::parse(Path::new("config.toml"), text.to_owned().into()).unwrap()
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
            assert!(document.remove_connection("local"));
            assert!(!document.remove_connection("local"));
        });
        let (head, rest) = FILE.split_once("\n# the first").unwrap();
        let (_, tail) = rest.split_once("\"red\"\n").unwrap();
        assert_eq!(text, format!("{head}{tail}"));
        let text = edited(FILE, |document| {
            document.unset("local", "colour");
            document.unset("absent", "colour");
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
            let mut document = parse(text);
            let error = document.set("a", "host", "x").unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains(&format!("`{key}` is not a table")),
                "{error}"
            );
            assert_eq!(document.text.as_str(), text);
        }
    }

    /// Sets the default to `a`, `host` and `store` of `a`, and unsets its `api_key`.
    fn used(text: &str) -> String {
        edited(text, |document| {
            document.set_default("a");
            document.set("a", "host", "h").unwrap();
            document.set("a", "store", "file").unwrap();
            document.unset("a", "api_key");
        })
    }

    #[test]
    fn multi_line_string_keeps_carriage_returns() {
        let text = "note = \"\"\"\r\nhello\r\n# x\"\"\"\r\n[connections.a]\r\nhost = \"h\"\r\n";
        assert_eq!(
            used(text),
            text.replace(
                "[connections.a]\r\nhost = \"h\"\r\n",
                "default_connection_name = \"a\"\r\n[connections.a]\r\nhost = \"h\"\r\nstore = \"file\"\r\n",
            )
        );
        // The last line of the string is no comment of what follows.
        let removed = edited(text, |document| {
            assert!(document.remove_connection("a"));
        });
        assert_eq!(removed, &text[..text.find("[connections").unwrap()]);
    }

    #[test]
    fn each_line_keeps_its_ending() {
        let text = "\u{feff}a = 1\r\n\n[connections.a]\nhost = 'x'\r\n\r\n[b]\n";
        let expected = "\u{feff}a = 1\r\ndefault_connection_name = \"a\"\r\n\n[connections.a]\n\
            host = \"h\"\r\nstore = \"file\"\r\n\r\n[b]\n";
        assert_eq!(used(text), expected);
        let open = "default_connection_name='b'\r\n[connections.a]\r\nhost = 'x'";
        let expected = "default_connection_name=\"a\"\r\n[connections.a]\r\nhost = \"h\"\r\nstore = \"file\"\r\n";
        assert_eq!(used(open), expected);
        assert_eq!(
            edited("x = 1", |document| document.set_default("a")),
            "x = 1\ndefault_connection_name = \"a\"\n"
        );
    }

    #[test]
    fn foreign_notation_is_kept() {
        let foreign = "apple.type = 1\norange.type  =  2\napple.skin = 'thin'\n\"name\".'last' = nan\n[ \"\" . a ]\nx=0x_ff\n"
            .replace("0x_ff", "0xff");
        let text = format!(
            "{foreign}[ connections . 'a' ]\n\thost   = 'x'\n\tapi_key='k' # c\n[ \"\" . a . b ]\ny = +inf"
        );
        let expected = format!("{foreign}[ connections . 'a' ]\n\thost   = \"h\"\n\tstore = \"file\"\n[ \"\" . a . b ]\ny = +inf")
            .replace("nan\n", "nan\ndefault_connection_name = \"a\"\n");
        assert_eq!(used(&text), expected);
    }

    #[test]
    fn every_notation_of_connection_is_edited() {
        for (before, after) in [
            (
                "connections.a.host = 'x'\nconnections . a . api_key = 'k'\n[b]\n",
                "connections.a.host = \"h\"\nconnections . a.store = \"file\"\ndefault_connection_name = \"a\"\n[b]\n",
            ),
            (
                "[connections]\n  'a'.api_key = 'k'\n  'a'.host = 'x'\n  b = {}\n",
                "default_connection_name = \"a\"\n\n[connections]\n  'a'.host = \"h\"\n  'a'.store = \"file\"\n  b = {}\n",
            ),
            (
                "[connections]\na = { api_key = 'k', host = 'x' } # c\n",
                "default_connection_name = \"a\"\n\n[connections]\na = { host = \"h\", store = \"file\" } # c\n",
            ),
            (
                "connections = { a = { host = 'x', api_key = 'k' }, b = {} }\n",
                "connections = { a = { host = \"h\", store = \"file\" }, b = {} }\ndefault_connection_name = \"a\"\n",
            ),
            (
                "connections = { b = 1, a.host = 'x', a.api_key = 'k', c = 1 }\n",
                "connections = { b = 1, a.host = \"h\", a.store = \"file\", c = 1 }\ndefault_connection_name = \"a\"\n",
            ),
            (
                "connections = {}",
                "connections = { a = { host = \"h\", store = \"file\" } }\ndefault_connection_name = \"a\"\n",
            ),
            (
                "connections.b.host = 'x'\n",
                "connections.b.host = 'x'\ndefault_connection_name = \"a\"\n\n[connections.a]\nhost = \"h\"\nstore = \"file\"\n",
            ),
            (
                "# of extra\n[connections.a.extra]\nx = 1\n",
                "default_connection_name = \"a\"\n\n[connections.a]\nhost = \"h\"\nstore = \"file\"\n\n# of extra\n[connections.a.extra]\nx = 1\n",
            ),
            (
                "[[connections.a.list]]\nx = 1\n",
                "default_connection_name = \"a\"\n\n[connections.a]\nhost = \"h\"\nstore = \"file\"\n\n[[connections.a.list]]\nx = 1\n",
            ),
        ] {
            assert_eq!(used(before), after, "{before}");
        }
    }

    #[test]
    fn removal_takes_every_part() {
        for (before, after) in [
            (
                "connections = { a = 1, b = 2, c = 3 }",
                "connections = { b = 2, c = 3 }",
            ),
            ("connections = { b = 2, a = 1 }", "connections = { b = 2 }"),
            (
                "connections = { b = 2, a.x = 1, a.y = 2 }",
                "connections = { b = 2 }",
            ),
            ("connections = { a = 1 }", "connections = { }"),
            ("connections.a.x = 1\nb = 1\nconnections.a.y = 1", "b = 1\n"),
            (
                "[connections.a]\n\n[b]\n\n[connections.a.x]\ny = [\n1,\n]\n\n[c]\n",
                "[b]\n\n[c]\n",
            ),
            ("x = 1\n\n[[connections.a]]\n[[connections.a]]\n", "x = 1\n"),
        ] {
            let text = edited(before, |document| {
                assert!(document.remove_connection("a"));
            });
            assert_eq!(text, after, "{before}");
        }
    }

    #[test]
    fn comment_belongs_to_what_it_touches() {
        let text = "\
#:schema https://example.org/ntro.json
# Head of the file

# of a
[connections.a] # of a
# of host
host = 'x'

# inside a

store = 'file'
# below a

# of b
[connections.b]
host = 'y'
# below b

# of c
[c]
";
        let removed = |name: &str| {
            edited(text, |document| {
                assert!(document.remove_connection(name));
            })
        };
        let part = |from: &str, to: &str| {
            let start = text.find(from).unwrap();
            text[start..text.find(to).unwrap()].to_owned()
        };
        assert_eq!(
            removed("a"),
            text.replace(&part("# of a\n", "# below a"), "")
        );
        assert_eq!(removed("b"), text.replace(&part("# of b", "# below b"), ""));
        let default = "default_connection_name = \"a\"\n\n";
        let used = edited(text, |document| document.set_default("a"));
        assert_eq!(
            used,
            text.replace("# of a\n[", &format!("{default}# of a\n["))
        );
        // And back.
        assert_eq!(edited(&used, Document::unset_default), text);
        let new = edited(text, |document| document.set("d", "host", "z").unwrap());
        let section = "\n[connections.d]\nhost = \"z\"\n";
        assert_eq!(
            new,
            text.replace("# below b\n", &format!("# below b\n{section}"))
        );
    }

    #[test]
    fn head_stays_above_first_key() {
        let default = "default_connection_name = \"a\"\n";
        for (before, after) in [
            ("# head\n", format!("# head\n\n{default}")),
            ("# head", format!("# head\n\n{default}")),
            ("\n", format!("\n{default}")),
            (
                "#:schema x\n[c]\n",
                format!("#:schema x\n\n{default}\n[c]\n"),
            ),
            ("# of c\n[c]\n", format!("{default}\n# of c\n[c]\n")),
            (
                "# head\n\nx = 1\n[c]\n",
                format!("# head\n\nx = 1\n{default}[c]\n"),
            ),
        ] {
            assert_eq!(edited(before, |document| document.set_default("a")), after);
        }
        // The directive touches the connection, and stays.
        let text = edited("#:schema x\n[connections.a]\n\n[c]\n", |document| {
            document.remove_connection("a");
        });
        assert_eq!(text, "#:schema x\n\n[c]\n");
    }

    #[test]
    fn removal_gives_no_comment_away() {
        // Without the blank line the head would touch `[c]`.
        let text = "# head\n\n[connections.a]\nhost = 'x'\n[c]\n";
        let removed = edited(text, |document| {
            document.remove_connection("a");
        });
        assert_eq!(removed, "# head\n\n[c]\n");
    }

    #[test]
    fn values_are_written_in_one_line() {
        let value = "a \"b\" \\ \n \r \t \u{7f} \u{1b} ü \u{2028}";
        let text = edited("", |document| {
            document.set("ü \"\n", "host", value).unwrap();
            document
                .set("ü \"\n", "admin_token_command", vec![value.to_owned(); 2])
                .unwrap();
            document.set("ü \"\n", "production", true).unwrap();
        });
        assert_eq!(text.lines().count(), 4, "{text}");
    }

    #[test]
    fn key_is_set_in_several_connections() {
        let text = "connections = { a = {}, b.x = 1, c = { y = 1 } }\n";
        let edited = edited(text, |document| {
            let names = ["a", "b", "c"];
            document
                .set_each("production", names.map(|name| (name, true)))
                .unwrap();
        });
        let all = "connections = { a = { production = true }, b.x = 1, b.production = true, c = { y = 1, production = true } }\n";
        assert_eq!(edited, all);
    }

    #[test]
    fn changed_meaning_is_refused() {
        for damaged in [
            "",
            "x = 2\n",
            "x = 1\n[connections.a]\nhost = 'z'\n",
            "x = \n",
        ] {
            let mut document = parse("x = 1\n");
            document.set("a", "host", "h").unwrap();
            document.text = damaged.to_owned().into();
            let error = document.finish().unwrap_err().to_string();
            assert!(error.contains("config.toml"), "{error}");
        }
        // The table cannot become a value without losing what is in it.
        let text = "[connections.a.host]\nx = 1\n";
        let error = parse(text).set("a", "host", "h").unwrap_err();
        assert!(matches!(error, Error::Entangled { .. }), "{error}");
    }
}

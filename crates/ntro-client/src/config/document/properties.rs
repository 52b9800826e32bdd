//! Any sequence of edits to any file keeps everything else, byte for byte.
//!
//! The files combine every notation that TOML allows. Each statement and comment has a unique
//! number and a subject. After the edits, the text of unedited subjects must all be there, in order
//! and byte for byte, every other line must be about something edited, and the values of the file
//! must match a model of the edits.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json, json};

use super::*;

const NAMES: [&str; 5] = ["local", "a b", "x.y", "ü\"q", "production"];
const KEYS: [&str; 5] = ["host", "api_key", "provider", "store", "default_tenant"];
const WORDS: &str = "admin_token_command";
const VALUES: [&str; 5] = [
    "https://new.example/v1",
    "",
    "quo\"te\\ # no comment",
    "ntro_prod_x",
    "line\r\nbreak",
];

/// The subject of a statement or a comment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Default,
    Connection(String),
    Key(String, String),
    Other,
}

#[derive(Clone, Debug)]
struct Line {
    /// One line, or a statement of several.
    text: String,
    about: About,
}

#[derive(Clone, Debug)]
enum Change {
    SetDefault(&'static str),
    UnsetDefault,
    Set(&'static str, &'static str, &'static str),
    SetWords(&'static str, &'static str),
    Unset(&'static str, &'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let name = || select(&NAMES[..]);
    let key = || select(&KEYS[..]);
    let value = || select(&VALUES[..]);
    prop_oneof![
        1 => name().prop_map(Change::SetDefault),
        1 => Just(Change::UnsetDefault),
        6 => (name(), key(), value()).prop_map(|(n, k, v)| Change::Set(n, k, v)),
        1 => (name(), value()).prop_map(|(n, v)| Change::SetWords(n, v)),
        3 => (name(), key()).prop_map(|(n, k)| Change::Unset(n, k)),
        2 => name().prop_map(Change::Remove),
        2 => (name(), name()).prop_map(|(from, to)| Change::Rename(from, to)),
    ]
}

/// A key or a name in one of TOML's notations.
fn quoted(text: &str, way: u8) -> String {
    let bare = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match way % 3 {
        0 if bare => text.to_owned(),
        1 if !text.contains('\'') => format!("'{text}'"),
        _ => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// The notation of one connection.
#[derive(Clone, Debug)]
struct Written {
    name: &'static str,
    style: u8,
    ways: Vec<u8>,
}

/// The line breaks of a file.
#[derive(Clone, Copy, Debug)]
enum Endings {
    Unix,
    Windows,
    Mixed,
}

impl Endings {
    fn of(self, line: usize) -> &'static str {
        match self {
            Self::Mixed if line.is_multiple_of(2) => "\r\n",
            Self::Windows => "\r\n",
            _ => "\n",
        }
    }
}

/// A file: a head, connections and other tables, mixed.
#[derive(Clone, Debug)]
struct File {
    head: u8,
    default: Option<u8>,
    inside: bool,
    written: Vec<Written>,
    others: Vec<u8>,
    endings: Endings,
    mark: bool,
    last_break: bool,
}

fn file() -> impl Strategy<Value = File> {
    let written = (any::<u8>(), proptest::collection::vec(any::<u8>(), 6..7));
    (
        any::<u8>(),
        proptest::option::of(any::<u8>()),
        any::<bool>(),
        proptest::collection::vec(proptest::option::of(written), NAMES.len()),
        proptest::collection::vec(any::<u8>(), 0..4),
        select(&[Endings::Unix, Endings::Windows, Endings::Mixed][..]),
        any::<(bool, bool)>(),
    )
        .prop_map(
            |(head, default, inside, written, others, endings, (mark, last_break))| File {
                head,
                default,
                inside,
                written: NAMES
                    .into_iter()
                    .zip(written)
                    .filter_map(|(name, written)| {
                        let (style, ways) = written?;
                        Some(Written { name, style, ways })
                    })
                    .collect(),
                others,
                endings,
                mark,
                last_break,
            },
        )
}

struct Writer {
    lines: Vec<Line>,
    endings: Endings,
}

impl Writer {
    /// Adds a statement, sometimes below a comment that belongs to it.
    fn line(&mut self, text: &str, about: &About) {
        let number = self.lines.len();
        if number.is_multiple_of(3) {
            self.raw(&format!("  # above {number}"), about.clone());
        }
        self.raw(&format!("{text}  # c{number}"), about.clone());
    }

    /// Adds a statement of several lines.
    fn several(&mut self, lines: &[&str], about: &About) {
        let text = lines.join(self.endings.of(self.lines.len()));
        self.line(&text, about);
    }

    /// Adds a comment that touches nothing.
    fn comment(&mut self, about: &About) {
        let number = self.lines.len();
        self.raw(&format!("\t# own {number}"), about.clone());
        self.raw("", about.clone());
    }

    fn raw(&mut self, text: &str, about: About) {
        self.lines.push(Line {
            text: text.to_owned(),
            about,
        });
    }
}

impl File {
    fn lines(&self) -> Vec<Line> {
        let mut writer = Writer {
            lines: Vec::new(),
            endings: self.endings,
        };
        match self.head % 4 {
            0 => writer.comment(&About::Other),
            1 => writer.raw("#:schema https://example.org/x.json", About::Other),
            2 => writer.raw("", About::Other),
            _ => {}
        }
        if self.head.is_multiple_of(5) {
            writer.line("top = { a = 1, 'b' = [ 1,2 ] }", &About::Other);
            writer.line("apple.type = 0x1f", &About::Other);
            writer.line("\"orange\" . 'type'=-0.0", &About::Other);
            writer.line("apple.skin=1_000", &About::Other);
        }
        if self.head.is_multiple_of(3) {
            let note = [
                "note = \"\"\"",
                "[connections.local]",
                "",
                "# no comment\\t\"\"\"",
            ];
            writer.several(&note, &About::Other);
        }
        if let Some(way) = self.default {
            let key = quoted("default_connection_name", way);
            writer.line(&format!("{key}   =  'local'"), &About::Default);
        }
        if self.head.is_multiple_of(2) {
            let list = [
                "list = [ # a",
                "  1,",
                "",
                "  '''",
                "# no comment''', # b",
                "]",
            ];
            writer.several(&list, &About::Other);
        }
        let mut others = self.others.iter();
        if self.inside {
            // In one table: inline tables and dotted keys.
            writer.line("[ connections ]", &About::Other);
            for written in &self.written {
                written.inside(&mut writer);
            }
        } else {
            for written in &self.written {
                written.as_table(&mut writer);
                if let Some(other) = others.next() {
                    other_table(*other, &mut writer);
                }
            }
        }
        for other in others {
            other_table(*other, &mut writer);
        }
        writer.lines
    }

    fn text(&self, lines: &[Line]) -> String {
        let mut text = String::from(if self.mark { "\u{feff}" } else { "" });
        for (number, line) in lines.iter().enumerate() {
            text.push_str(&line.text);
            if self.last_break || number + 1 < lines.len() {
                text.push_str(self.endings.of(number));
            }
        }
        text
    }
}

fn other_table(way: u8, writer: &mut Writer) {
    let number = writer.lines.len();
    if way.is_multiple_of(5) {
        writer.comment(&About::Other);
    } else if way.is_multiple_of(2) {
        writer.raw("", About::Other);
    }
    let head = match way % 3 {
        0 => format!("[tool.t{number}]"),
        1 => "[[list-of-tables]]".to_owned(),
        _ => format!("[ 'tool {number}' . \"t\" ]"),
    };
    writer.line(&head, &About::Other);
    writer.line("host = 'not ours'", &About::Other);
    writer.several(&["when = '''", "# no comment'''"], &About::Other);
}

impl Written {
    fn about(&self) -> About {
        About::Connection(self.name.to_owned())
    }

    fn key(&self, key: &str) -> About {
        About::Key(self.name.to_owned(), key.to_owned())
    }

    fn as_table(&self, writer: &mut Writer) {
        let name = quoted(self.name, self.style);
        if self.style.is_multiple_of(3) {
            writer.comment(&About::Other);
        } else if !self.style.is_multiple_of(4) {
            writer.raw("", self.about());
        }
        let path = match self.style % 7 {
            0 => format!(" connections . {name}"),
            1 => format!("\"connections\".{name}"),
            _ => format!("connections.{name}"),
        };
        writer.line(&format!("[{path}]"), &self.about());
        self.entries("", writer);
        if self.style.is_multiple_of(5) {
            writer.line(&format!("[{path}.extra]"), &self.about());
            writer.line("deep = 1", &self.about());
        }
    }

    fn inside(&self, writer: &mut Writer) {
        let name = quoted(self.name, self.style);
        if self.style.is_multiple_of(2) {
            // It is one line, whatever is edited in it.
            let line = format!("{name} = {{ host = \"h\" , colour = 'red' }}");
            writer.line(&line, &self.about());
        } else {
            self.entries(&format!("{name}."), writer);
        }
    }

    fn entries(&self, before: &str, writer: &mut Writer) {
        let way = |index: usize| self.ways[index];
        if way(0).is_multiple_of(5) && before.is_empty() {
            // Inside the section, between its header and its first key.
            writer.raw("", self.about());
            writer.comment(&self.about());
        }
        let quotes = ["\"", "'", "\"\"\"", "'''"][usize::from(way(0) % 4)];
        let host = format!("{quotes}http://old.example/v1{quotes}");
        let key = quoted("host", way(1));
        writer.line(&format!("{before}{key}={host}"), &self.key("host"));
        if way(2).is_multiple_of(2) {
            writer.line(&format!("{before}colour = 'red'"), &self.about());
        }
        if way(3).is_multiple_of(2) {
            let line = format!("  {before}{} =\t\"ntro_old\"", quoted("api_key", way(3)));
            writer.line(&line, &self.key("api_key"));
        }
        if way(4).is_multiple_of(3) {
            writer.line(&format!("{before}deep.er = 1"), &self.about());
        }
        if way(5).is_multiple_of(3) {
            let line = format!("{before}provider = 'ntropii'");
            writer.line(&line, &self.key("provider"));
        }
    }
}

/// The result of the edits as values.
struct Model {
    value: Json,
    /// The edited subjects: their lines may change or be removed.
    edited: BTreeSet<About>,
}

impl Model {
    fn connections(&mut self) -> &mut Map<String, Json> {
        let top = self.value.as_object_mut().unwrap();
        let connections = top.entry("connections").or_insert_with(|| json!({}));
        connections.as_object_mut().unwrap()
    }

    fn set(&mut self, name: &str, key: &str, value: Json) {
        let connections = self.connections();
        let connection = connections.entry(name).or_insert_with(|| json!({}));
        connection[key] = value;
        let about = About::Key(name.to_owned(), key.to_owned());
        self.edited.insert(about);
    }

    fn edit(&mut self, change: &Change) {
        match *change {
            Change::SetDefault(name) => {
                self.value["default_connection_name"] = json!(name);
                self.edited.insert(About::Default);
            }
            Change::UnsetDefault => {
                let top = self.value.as_object_mut().unwrap();
                top.remove("default_connection_name");
                self.edited.insert(About::Default);
            }
            Change::Set(name, key, value) => self.set(name, key, json!(value)),
            Change::SetWords(name, word) => self.set(name, WORDS, json!([word, word])),
            Change::Unset(name, key) => {
                if let Some(connection) = self.connections().get_mut(name) {
                    connection.as_object_mut().unwrap().remove(key);
                }
                let about = About::Key(name.to_owned(), key.to_owned());
                self.edited.insert(about);
            }
            Change::Remove(name) => {
                self.connections().remove(name);
                self.edited.insert(About::Connection(name.to_owned()));
            }
            Change::Rename(from, to) => {
                if let Some(connection) = self.connections().remove(from) {
                    self.connections().insert(to.to_owned(), connection);
                    self.edited.insert(About::Connection(from.to_owned()));
                    self.edited.insert(About::Connection(to.to_owned()));
                }
            }
        }
    }

    fn keeps(&self, line: &Line, inline: bool) -> bool {
        let gone = |name: &String| self.edited.contains(&About::Connection(name.clone()));
        match &line.about {
            About::Other => true,
            About::Default => !self.edited.contains(&About::Default),
            About::Key(name, _) => !gone(name) && !self.edited.contains(&line.about),
            About::Connection(name) => {
                // An inline table is one line with all its keys.
                let key = |about: &About| matches!(about, About::Key(of, _) if of == name);
                !gone(name) && (!inline || !self.edited.iter().any(key))
            }
        }
    }
}

/// Drops empty tables: whether one remains after its last entry is removed is unspecified.
fn said(mut value: Json) -> Json {
    let Some(top) = value.as_object_mut() else {
        return value;
    };
    if let Some(connections) = top.get_mut("connections").and_then(Json::as_object_mut) {
        connections.retain(|_, connection| *connection != json!({}));
        if connections.is_empty() {
            top.remove("connections");
        }
    }
    value
}

fn parse(text: &str) -> Document {
    Document::parse(Path::new("config.toml"), text.to_owned().into()).unwrap()
}

/// Skips `rest` up to the line that starts with `wanted`, and that too; returns the lines above it.
fn take<'t>(rest: &mut &'t str, wanted: &str) -> Option<&'t str> {
    let mut at = 0;
    while !rest[at..].starts_with(wanted) {
        at += rest[at..].find('\n')? + 1;
    }
    let above = &rest[..at];
    *rest = &rest[at + wanted.len()..];
    Some(above)
}

/// Returns whether a line may be the work of an edit: a new one, or one of an edited statement.
fn is_own(line: &str, edited: &[&str]) -> bool {
    let bare = line.trim();
    let key = bare.split(" = ").next().unwrap_or_default();
    let is_set = KEYS.iter().chain([&WORDS]).any(|name| {
        let before = key.strip_suffix(name);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    });
    let is_edited = |text: &&str| {
        let number = text.rfind('#').map(|at| &text[at..]);
        text.contains(bare) || number.is_some_and(|number| bare.ends_with(number))
    };
    bare.is_empty()
        || bare.starts_with("[connections.")
        || bare.starts_with("default_connection_name = ")
        || is_set
        || edited.iter().any(is_edited)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn edits_keep_everything_else(
        file in file(),
        changes in proptest::collection::vec(change(), 0..8),
        again in any::<bool>(),
    ) {
        let lines = file.lines();
        let before = file.text(&lines);
        let mut document = parse(&before);
        let mut model = Model {
            value: toml::from_str(&before).unwrap(),
            edited: BTreeSet::new(),
        };
        for change in &changes {
            match *change {
                Change::SetDefault(name) => document.set_default(name),
                Change::UnsetDefault => document.unset_default(),
                Change::Set(name, key, value) => document.set(name, key, value).unwrap(),
                Change::SetWords(name, word) => {
                    document.set(name, WORDS, vec![word.to_owned(); 2]).unwrap();
                }
                Change::Unset(name, key) => document.unset(name, key),
                Change::Remove(name) => {
                    let had = document.has_connection(name);
                    prop_assert_eq!(document.remove_connection(name), had);
                }
                // Renaming to an existing name does not happen.
                Change::Rename(_, to) if document.has_connection(to) => continue,
                Change::Rename(from, to) => {
                    let had = document.has_connection(from);
                    prop_assert_eq!(document.rename_connection(from, to).is_ok(), had);
                }
            }
            model.edit(change);
            // Any edit may be the last before the file is written and read again.
            if again {
                let text = document.text.clone();
                prop_assert!(document.finish().is_ok(), "\n{before}\n---\n{}", *text);
                document = parse(&text);
            }
        }
        let after = document.text.clone();
        let both = || format!("\n{before}\n---\n{}", after.as_str());
        prop_assert!(document.finish().is_ok(), "{}", both());
        let says: Json = toml::from_str(&after).unwrap();
        prop_assert_eq!(said(says), said(model.value.clone()), "{}", both());

        let is_kept = |line: &&Line| model.keeps(line, file.inside);
        let edited = lines.iter().filter(|line| !is_kept(line));
        let edited: Vec<_> = edited.map(|line| line.text.as_str()).collect();
        let mut rest = after.trim_start_matches('\u{feff}');
        for (number, line) in lines.iter().enumerate() {
            if line.text.is_empty() || !is_kept(&line) {
                continue;
            }
            let is_last = number + 1 == lines.len() && !file.last_break;
            let ending = if is_last { "" } else { file.endings.of(number) };
            let above = take(&mut rest, &format!("{}{ending}", line.text));
            prop_assert!(above.is_some(), "lost {:?}:{}", line, both());
            for new in above.unwrap_or_default().lines() {
                prop_assert!(is_own(new, &edited), "new {:?}:{}", new, both());
            }
        }
        for new in rest.lines() {
            prop_assert!(is_own(new, &edited), "new {:?}:{}", new, both());
        }
        let (breaks, returns) = (after.matches('\n').count(), after.matches("\r\n").count());
        match file.endings {
            Endings::Unix => prop_assert_eq!(returns, 0),
            Endings::Windows if before.contains('\n') => prop_assert_eq!(returns, breaks),
            // A file without a line break does not show which one it has.
            Endings::Windows | Endings::Mixed => {}
        }
        prop_assert_eq!(after.starts_with('\u{feff}'), file.mark);
    }
}

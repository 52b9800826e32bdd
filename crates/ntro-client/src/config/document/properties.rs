//! Any sequence of edits to any file keeps everything else, byte for byte.
//!
//! The files combine every notation that TOML allows. Each line ends in a comment with a unique
//! number and has a subject. After the edits, the lines of unedited subjects must all be there, in
//! order, and the values of the file must match a model of the edits.
//!
//! One exception, since the parser does not keep it: headers that write their parent table
//! differently, like `[a.b]` and `[ "a" . c ]`, end up in the same notation.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json, json};

use super::*;

const NAMES: [&str; 5] = ["local", "a b", "x.y", "ü\"q", "production"];
const KEYS: [&str; 5] = ["host", "api_key", "provider", "store", "default_tenant"];
const VALUES: [&str; 4] = [
    "https://new.example/v1",
    "",
    "quo\"te\\ # no comment",
    "ntro_prod_x",
];

/// The subject of a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Default,
    Connection(String),
    Key(String, String),
    Other,
}

#[derive(Clone, Debug)]
struct Line {
    text: String,
    about: About,
}

#[derive(Clone, Debug)]
enum Edit {
    SetDefault(&'static str),
    UnsetDefault,
    Set(&'static str, &'static str, &'static str),
    Unset(&'static str, &'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
}

fn edit() -> impl Strategy<Value = Edit> {
    let name = || select(&NAMES[..]);
    let key = || select(&KEYS[..]);
    prop_oneof![
        1 => name().prop_map(Edit::SetDefault),
        1 => Just(Edit::UnsetDefault),
        6 => (name(), key(), select(&VALUES[..])).prop_map(|(n, k, v)| Edit::Set(n, k, v)),
        3 => (name(), key()).prop_map(|(n, k)| Edit::Unset(n, k)),
        2 => name().prop_map(Edit::Remove),
        2 => (name(), name()).prop_map(|(from, to)| Edit::Rename(from, to)),
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

/// A file: a head, connections and other tables, mixed.
#[derive(Clone, Debug)]
struct File {
    default: Option<u8>,
    inside: bool,
    spaced: bool,
    written: Vec<Written>,
    others: Vec<u8>,
    carriage: bool,
    mark: bool,
    last_break: bool,
}

fn file() -> impl Strategy<Value = File> {
    let written = (any::<u8>(), proptest::collection::vec(any::<u8>(), 6..7));
    (
        proptest::option::of(any::<u8>()),
        any::<(bool, bool)>(),
        proptest::collection::vec(proptest::option::of(written), NAMES.len()),
        proptest::collection::vec(any::<u8>(), 0..4),
        any::<(bool, bool, bool)>(),
    )
        .prop_map(
            |(default, (inside, spaced), written, others, (carriage, mark, last_break))| File {
                default,
                inside,
                spaced,
                written: NAMES
                    .into_iter()
                    .zip(written)
                    .filter_map(|(name, written)| {
                        let (style, ways) = written?;
                        Some(Written { name, style, ways })
                    })
                    .collect(),
                others,
                carriage,
                mark,
                last_break,
            },
        )
}

#[derive(Default)]
struct Writer {
    lines: Vec<Line>,
}

impl Writer {
    /// Adds a line, sometimes below a comment that belongs to it.
    fn line(&mut self, text: &str, about: &About) {
        let number = self.lines.len();
        if number.is_multiple_of(3) {
            self.raw(&format!("  # above {number}"), about.clone());
        }
        self.raw(&format!("{text}  # c{number}"), about.clone());
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
        let mut writer = Writer::default();
        writer.line("top = { a = 1, 'b' = [ 1,2 ] }", &About::Other);
        if let Some(way) = self.default {
            let key = quoted("default_connection_name", way);
            writer.line(&format!("{key}   =  'local'"), &About::Default);
        }
        for line in ["list = [", "  1,", "]"] {
            writer.line(line, &About::Other);
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
                written.as_table(self.spaced, &mut writer);
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
        let ending = if self.carriage { "\r\n" } else { "\n" };
        let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let mark = if self.mark { "\u{feff}" } else { "" };
        let last = if self.last_break { ending } else { "" };
        format!("{mark}{}{last}", lines.join(ending))
    }
}

fn other_table(way: u8, writer: &mut Writer) {
    let number = writer.lines.len();
    writer.raw("", About::Other);
    let head = match way % 3 {
        0 => format!("[tool.t{number}]"),
        1 => "[[list-of-tables]]".to_owned(),
        _ => format!("[ 'tool {number}' . \"t\" ]"),
    };
    writer.line(&head, &About::Other);
    writer.line("host = 'not ours'", &About::Other);
    writer.line("when = \"1979-05-27\"", &About::Other);
}

impl Written {
    fn about(&self) -> About {
        About::Connection(self.name.to_owned())
    }

    fn key(&self, key: &str) -> About {
        About::Key(self.name.to_owned(), key.to_owned())
    }

    fn as_table(&self, spaced: bool, writer: &mut Writer) {
        let name = quoted(self.name, self.style);
        writer.raw("", self.about());
        let path = match spaced {
            false => format!("connections.{name}"),
            true => format!(" connections . {name}"),
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

    fn edit(&mut self, edit: &Edit) {
        match *edit {
            Edit::SetDefault(name) => {
                self.value["default_connection_name"] = json!(name);
                self.edited.insert(About::Default);
            }
            Edit::UnsetDefault => {
                let top = self.value.as_object_mut().unwrap();
                top.remove("default_connection_name");
                self.edited.insert(About::Default);
            }
            Edit::Set(name, key, value) => {
                let connections = self.connections();
                let connection = connections.entry(name).or_insert_with(|| json!({}));
                connection[key] = json!(value);
                let about = About::Key(name.to_owned(), key.to_owned());
                self.edited.insert(about);
            }
            Edit::Unset(name, key) => {
                if let Some(connection) = self.connections().get_mut(name) {
                    connection.as_object_mut().unwrap().remove(key);
                }
                let about = About::Key(name.to_owned(), key.to_owned());
                self.edited.insert(about);
            }
            Edit::Remove(name) => {
                self.connections().remove(name);
                self.edited.insert(About::Connection(name.to_owned()));
            }
            Edit::Rename(from, to) => {
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
    Document::parse(Path::new("config.toml"), text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn edits_keep_everything_else(
        file in file(),
        edits in proptest::collection::vec(edit(), 0..8),
    ) {
        let lines = file.lines();
        let before = file.text(&lines);
        let mut document = parse(&before);
        let unedited = document.text();
        prop_assert_eq!(unedited.as_str(), before.as_str());
        let mut model = Model {
            value: toml::from_str(&before).unwrap(),
            edited: BTreeSet::new(),
        };
        for edit in &edits {
            match *edit {
                Edit::SetDefault(name) => document.set_default(name),
                Edit::UnsetDefault => document.unset_default(),
                Edit::Set(name, key, value) => document.set(name, key, value).unwrap(),
                Edit::Unset(name, key) => document.unset(name, key).unwrap(),
                Edit::Remove(name) => {
                    let had = document.has_connection(name);
                    prop_assert_eq!(document.remove_connection(name).unwrap(), had);
                }
                // Renaming to an existing name does not happen.
                Edit::Rename(_, to) if document.has_connection(to) => continue,
                Edit::Rename(from, to) => {
                    let had = document.has_connection(from);
                    prop_assert_eq!(document.rename_connection(from, to).is_ok(), had);
                }
            }
            model.edit(edit);
            // Each edit may be the last before the file is written and read again.
            let text = document.text();
            let says: Result<Json, _> = toml::from_str(&text);
            prop_assert!(says.is_ok(), "{:?}\n{}\n---\n{}", says, before, text.as_str());
            document = parse(&text);
        }
        let after = document.text();
        let both = || format!("\n{before}\n---\n{}", after.as_str());

        let says: Json = toml::from_str(&after).unwrap();
        prop_assert_eq!(said(says), said(model.value.clone()), "{}", both());

        let mut rest = after.trim_start_matches('\u{feff}').split_inclusive('\n');
        let ending = if file.carriage { "\r\n" } else { "\n" };
        for (index, line) in lines.iter().enumerate() {
            if line.text.is_empty() || !model.keeps(line, file.inside) {
                continue;
            }
            let last = index + 1 == lines.len() && !file.last_break;
            let found = rest.any(|found| {
                found.strip_suffix(ending) == Some(&*line.text) || (last && found == line.text)
            });
            prop_assert!(found, "lost {:?}:{}", line, both());
        }
        let (breaks, returns) = (after.matches('\n').count(), after.matches("\r\n").count());
        prop_assert_eq!(returns, if file.carriage { breaks } else { 0 });
        prop_assert_eq!(after.starts_with('\u{feff}'), file.mark);
    }
}

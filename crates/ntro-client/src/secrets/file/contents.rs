use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Error, Item};
use ntro_base::ApiKey;

/// The version that we write, and the only one so far.
const VERSION: u32 = 1;

/// The keys in the file, as TOML.
#[derive(Debug, Default)]
pub(super) struct Contents {
    keys: BTreeMap<Item, ApiKey>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    version: u32,
    #[serde(borrow, default)]
    key: Vec<WireKey<'a>>,
}

#[derive(Deserialize)]
struct WireKey<'a> {
    #[serde(borrow)]
    connection: Cow<'a, str>,
    #[serde(borrow)]
    origin: Cow<'a, str>,
    #[serde(borrow)]
    api_key: Cow<'a, str>,
}

impl Drop for WireKey<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(key) = &mut self.api_key {
            key.zeroize();
        }
    }
}

impl Contents {
    pub(super) fn parse(plain: &[u8], path: &Path) -> Result<Self, Error> {
        // The parser's messages quote the file, so only the position is used.
        let corrupt = |reason: String| Error::Corrupt {
            path: path.to_owned(),
            reason,
        };
        let text = std::str::from_utf8(plain)
            .map_err(|_| corrupt("what is sealed in it is not text".to_owned()))?;
        let wire: Wire<'_> = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(0, |before| before.matches('\n').count()) + 1;
            corrupt(format!(
                "line {line} of what is sealed in it is not as it should be"
            ))
        })?;
        if wire.version != VERSION {
            return Err(corrupt(format!(
                "it has version {}, and only {VERSION} is known",
                wire.version
            )));
        }
        let mut contents = Self::default();
        for (index, key) in wire.key.iter().enumerate() {
            let bad = |what: &str, error: &dyn std::error::Error| {
                corrupt(format!("entry {}: {what}: {error}", index + 1))
            };
            let item = Item::new(
                key.connection.parse().map_err(|e| bad("connection", &e))?,
                key.origin.parse().map_err(|e| bad("origin", &e))?,
            );
            let key = key.api_key.parse().map_err(|e| bad("api_key", &e))?;
            contents.keys.insert(item, key);
        }
        Ok(contents)
    }

    pub(super) fn to_toml(&self) -> Zeroizing<String> {
        let size = 100
            + self
                .keys
                .iter()
                .map(|(item, key)| 100 + 2 * (item.account().len() + key.expose().len()))
                .sum::<usize>();
        // Allocated in full: a growing buffer leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(size));
        text.push_str("# The API keys of `ntro`, which rewrites this file.\n");
        let _ = writeln!(text, "version = {VERSION}");
        for (item, key) in &self.keys {
            text.push_str("\n[[key]]\n");
            for (name, value) in [
                ("connection", item.connection.as_str()),
                ("origin", item.origin.as_str()),
                ("api_key", key.expose()),
            ] {
                push_line(&mut text, name, value);
            }
        }
        text
    }

    pub(super) fn get(&self, item: &Item) -> Option<&ApiKey> {
        self.keys.get(item)
    }

    pub(super) fn put(&mut self, item: &Item, key: &ApiKey) {
        self.keys.insert(item.clone(), key.clone());
    }

    pub(super) fn erase(&mut self, item: &Item) -> bool {
        self.keys.remove(item).is_some()
    }

    pub(super) fn items(&self) -> Vec<Item> {
        self.keys.keys().cloned().collect()
    }
}

/// Adds `name = "value"`. Our values never contain a control character.
fn push_line(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str(" = \"");
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push_str("\"\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(connection: &str) -> Item {
        Item::new(
            connection.parse().unwrap(),
            "https://api.ntropii.com".parse().unwrap(),
        )
    }

    #[test]
    fn written_contents_parse_back() {
        let mut contents = Contents::default();
        contents.put(&item("production"), &"ntro_prod_abc".parse().unwrap());
        contents.put(&item(r#"a "b" \c"#), &r#"k"\'#"#.parse().unwrap());
        let text = contents.to_toml();
        assert_eq!(
            *text,
            r#"# The API keys of `ntro`, which rewrites this file.
version = 1

[[key]]
connection = "a \"b\" \\c"
origin = "https://api.ntropii.com"
api_key = "k\"\\'#"

[[key]]
connection = "production"
origin = "https://api.ntropii.com"
api_key = "ntro_prod_abc"
"#
        );
        let read = Contents::parse(text.as_bytes(), Path::new("f")).unwrap();
        assert_eq!(read.keys, contents.keys);
    }

    #[test]
    fn damage_is_reported_without_content() {
        let key = "ntro_prod_topsecret";
        for (text, reason) in [
            (format!("version = 1\nkey = \"{key}\""), "line 2"),
            (format!("version = 1\n[[key]]\napi_key = {key}"), "line 3"),
            (
                format!("version = 1\n[[key]]\nconnection = \"a\"\napi_key = \"{key}\""),
                "line 2",
            ),
            (
                format!(
                    "version = 1\n[[key]]\nconnection = \"a\"\norigin = \"https://a\"\napi_key = \"{key} x\""
                ),
                "entry 1: api_key: the API key contains a space",
            ),
            ("version = 2".to_owned(), "it has version 2"),
            (String::new(), "line 1"),
        ] {
            let error = Contents::parse(text.as_bytes(), Path::new("f")).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            assert!(!format!("{error} {error:?}").contains("topsecret"));
        }
        assert!(Contents::parse(&[0xff], Path::new("f")).is_err());
    }
}

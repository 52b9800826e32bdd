use std::ops::Range;
use std::path::{Path, PathBuf};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use zeroize::Zeroizing;

use super::Error;
use super::error::read_text;
use ntro_base::disk::{self, FileLock};
use ntro_base::env::Env;

/// What stands in the place of a key that was taken out; the official client takes it for none.
const NOTHING: &str = "\"\"";

/// `~/.ontora/config.yaml`, the file of Ontora's official client.
///
/// It is read for its key to be taken over, and changed in one way only: the key becomes an empty
/// text, and every other byte stays.
pub struct OntoraFile {
    path: PathBuf,
    text: Zeroizing<String>,
    values: Values,
}

#[derive(Default)]
struct Values {
    api_key: Option<YamlValue>,
    base_url: Option<YamlValue>,
    workspace_id: Option<YamlValue>,
}

/// A value with its place in the file, in bytes.
struct YamlValue {
    text: Zeroizing<String>,
    place: Range<usize>,
}

impl OntoraFile {
    /// Returns where the file lies, if the system knows a home folder.
    #[must_use]
    pub fn locate(env: &Env) -> Option<PathBuf> {
        Some(env.home()?.join(".ontora").join("config.yaml"))
    }

    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, is not YAML, or has something else than texts where
    /// the official client keeps texts.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let Some(text) = read_text(path)? else {
            return Ok(None);
        };
        let values = Values::find(path, &text, &events(path, &text)?)?;
        Ok(Some(Self {
            path: path.to_owned(),
            text,
            values,
        }))
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the API key as it stands in the file.
    #[must_use]
    pub fn api_key(&self) -> Option<&str> {
        Some(self.values.api_key.as_ref()?.text.as_str())
    }

    /// Returns the base URL.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        Some(self.values.base_url.as_ref()?.text.as_str())
    }

    /// Returns the workspace's id.
    #[must_use]
    pub fn workspace_id(&self) -> Option<&str> {
        Some(self.values.workspace_id.as_ref()?.text.as_str())
    }

    /// Returns an error about the base URL, with its place in the file.
    #[must_use]
    pub fn bad_base_url(&self, message: &str) -> Error {
        self.bad(self.values.base_url.as_ref(), message)
    }

    /// Returns an error about the API key, with its place in the file.
    #[must_use]
    pub fn bad_api_key(&self, message: &str) -> Error {
        self.bad(self.values.api_key.as_ref(), message)
    }

    fn bad(&self, value: Option<&YamlValue>, message: &str) -> Error {
        let place = value.map(|value| value.place.clone());
        Error::invalid(&self.path, &self.text, place, message)
    }

    /// Returns what the file is to be without the key: the same, byte for byte, but for the key.
    ///
    /// # Errors
    ///
    /// Fails when the key is written in a way that does not allow it, or a second time elsewhere.
    pub fn without_key(&self) -> Result<Zeroizing<String>, Error> {
        let Some(key) = &self.values.api_key else {
            return Ok(self.text.clone());
        };
        let refuse = |reason| Error::NotEditable {
            path: self.path.clone(),
            key: "api_key",
            reason,
        };
        let Range { start, end } = key.place;
        let parts = [&self.text[..start], NOTHING, &self.text[end..]];
        // Large enough from the start: a buffer that grows leaves copies behind.
        let mut edited = Zeroizing::new(String::with_capacity(parts.iter().map(|p| p.len()).sum()));
        parts.iter().for_each(|part| edited.push_str(part));
        if edited.contains(key.text.trim()) {
            return Err(refuse("the key stands there a second time"));
        }
        let (before, after) = (
            events(&self.path, &self.text)?,
            events(&self.path, &edited).map_err(|_| refuse("what is left would not be YAML"))?,
        );
        let changed = before.iter().zip(&after);
        let changed = changed.filter(|((before, _), (after, _))| before != after);
        let is_emptied =
            |event: &Event<'_>| matches!(event, Event::Scalar(text, ..) if text.is_empty());
        let only_the_key = changed.clone().all(|(_, (after, _))| is_emptied(after));
        match only_the_key && changed.count() == 1 && before.len() == after.len() {
            true => Ok(edited),
            false => Err(refuse("other parts of the file depend on it")),
        }
    }

    /// Writes the file without the key.
    ///
    /// # Errors
    ///
    /// As [`OntoraFile::without_key`] and [`disk::replace`].
    pub fn erase_key(&self, lock: &FileLock) -> Result<(), Error> {
        Ok(disk::replace(
            &self.path,
            self.without_key()?.as_bytes(),
            lock,
        )?)
    }
}

/// The events of the one document in the file, with their places in bytes.
fn events<'a>(path: &Path, text: &'a str) -> Result<Vec<(Event<'a>, Range<usize>)>, Error> {
    let offsets: Vec<usize> = text.char_indices().map(|(offset, _)| offset).collect();
    let offset = |index: usize| offsets.get(index).copied().unwrap_or(text.len());
    let place = |span: &Span| offset(span.start.index())..offset(span.end.index());
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => events.push((event, place(&span))),
            Err(error) => {
                let start = offset(error.marker().index());
                return Err(Error::invalid(
                    path,
                    text,
                    Some(start..start),
                    "this is not YAML",
                ));
            }
        }
    }
    Ok(events)
}

/// Where a value stands. The parser takes the tag and the anchor before it, and what follows a
/// quoted text up to the next line, for parts of it.
fn exact(text: &str, place: &Range<usize>) -> Range<usize> {
    let mut value = &text[place.clone()];
    while value.starts_with(['!', '&']) {
        let Some(end) = value.find(char::is_whitespace) else {
            break;
        };
        value = value[end..].trim_start();
    }
    let start = place.end - value.len();
    let mut characters = value.char_indices();
    let length = match characters.next() {
        Some((_, quote @ ('\'' | '"'))) => loop {
            match characters.next() {
                Some((_, '\\')) if quote == '"' => drop(characters.next()),
                Some((_, '\'')) if quote == '\'' && characters.as_str().starts_with('\'') => {
                    characters.next();
                }
                Some((offset, character)) if character == quote => break offset + 1,
                Some(_) => {}
                None => break value.len(),
            }
        },
        _ => value.trim_end().len(),
    };
    start..start + length
}

impl Values {
    /// Finds the values in the mapping that the file consists of.
    fn find(path: &Path, text: &str, events: &[(Event<'_>, Range<usize>)]) -> Result<Self, Error> {
        let bad = |place: &Range<usize>, message: &str| {
            Error::invalid(path, text, Some(place.clone()), message)
        };
        let mut values = Self::default();
        let (mut documents, mut depth) = (0, 0);
        // The key whose value comes next. Keys that are no texts are nobody's.
        let mut key: Option<String> = None;
        for (event, place) in events {
            let value = match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(bad(place, "a second document begins here"));
                    }
                    continue;
                }
                Event::MappingStart(..) | Event::SequenceStart(..) => {
                    depth += 1;
                    match depth {
                        1 if matches!(event, Event::SequenceStart(..)) => {
                            return Err(bad(place, "the file is not a mapping"));
                        }
                        1 => continue,
                        2 => None,
                        _ => continue,
                    }
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    depth -= 1;
                    continue;
                }
                Event::Scalar(value, style, _, tag) if depth <= 1 => {
                    let null = *style == ScalarStyle::Plain
                        && tag.is_none()
                        && ["", "~", "null", "Null", "NULL"].contains(&&**value);
                    match depth {
                        0 if null => continue,
                        0 => return Err(bad(place, "the file is not a mapping")),
                        _ => Some((value, null)),
                    }
                }
                Event::Alias(_) if depth == 1 => None,
                _ => continue,
            };
            let Some(name) = key.take() else {
                key = Some(value.map_or_else(String::new, |(name, _)| name.to_string()));
                continue;
            };
            let slot = match name.as_str() {
                "api_key" => &mut values.api_key,
                "base_url" => &mut values.base_url,
                "workspace_id" => &mut values.workspace_id,
                _ => continue,
            };
            let Some((value, null)) = value else {
                return Err(bad(place, &format!("`{name}` is not a text")));
            };
            if slot.is_some() {
                return Err(bad(place, &format!("`{name}` stands there twice")));
            }
            if !null && !value.trim().is_empty() {
                *slot = Some(YamlValue {
                    text: Zeroizing::new(value.to_string()),
                    place: exact(text, place),
                });
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "ont_live_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8";

    fn parse(text: &str) -> Result<OntoraFile, String> {
        let path = Path::new("config.yaml");
        let events = events(path, text).map_err(|error| error.to_string())?;
        let values = Values::find(path, text, &events).map_err(|error| error.to_string())?;
        Ok(OntoraFile {
            path: path.to_owned(),
            text: Zeroizing::new(text.to_owned()),
            values,
        })
    }

    #[test]
    fn the_documented_file_reads() {
        let text = format!(
            "api_key: {KEY}\nbase_url: https://api.ontora.com\nworkspace_id: 0b5e\nother: [1]\n"
        );
        let file = parse(&text).unwrap();
        assert_eq!(file.api_key(), Some(KEY));
        assert_eq!(file.base_url(), Some("https://api.ontora.com"));
        assert_eq!(file.workspace_id(), Some("0b5e"));
        assert_eq!(*file.without_key().unwrap(), text.replace(KEY, "\"\""));
    }

    #[test]
    fn a_file_with_nothing_in_it_has_no_key() {
        for text in [
            "",
            "# nothing\n",
            "---\n",
            "~",
            "{}",
            "api_key:\n",
            "api_key: ''",
            "api_key: ~\nother: 1\n",
            "other: {api_key: x}\n",
            "? [api_key]\n: x\n",
            "? {a: b}\n: api_key\nc: d\n",
        ] {
            let file = parse(text).unwrap();
            assert_eq!(file.api_key(), None, "{text:?}");
            assert_eq!(*file.without_key().unwrap(), text);
        }
    }

    #[test]
    fn the_key_is_taken_out_however_it_is_written() {
        for (before, after) in [
            ("api_key: KEY", "api_key: \"\""),
            (
                "a: 1\r\napi_key: KEY\r\nb: 2\r\n",
                "a: 1\r\napi_key: \"\"\r\nb: 2\r\n",
            ),
            ("\"api_key\": 'KEY' # mine\n", "\"api_key\": \"\" # mine\n"),
            (
                "{ä: ü, api_key: KEY, b: 2}\n",
                "{ä: ü, api_key: \"\", b: 2}\n",
            ),
            ("api_key:\n  KEY\nb: 2\n", "api_key:\n  \"\"\nb: 2\n"),
            ("? api_key\n: KEY\n", "? api_key\n: \"\"\n"),
            (
                "--- # ü\napi_key: !!str KEY\n...\n",
                "--- # ü\napi_key: !!str \"\"\n...\n",
            ),
            ("\u{feff}api_key: KEY\n", "\u{feff}api_key: \"\"\n"),
            (
                "api_key: &k !!str 'KEY' # a\nb: 1\n",
                "api_key: &k !!str \"\" # a\nb: 1\n",
            ),
            ("api_key: \"\\x6fKEY\"  # a \"\n", "api_key: \"\"  # a \"\n"),
            (
                "c: {api_key: x}\napi_key: KEY\n",
                "c: {api_key: x}\napi_key: \"\"\n",
            ),
        ] {
            let file = parse(&before.replace("KEY", KEY)).unwrap();
            assert!(file.api_key().unwrap().ends_with(KEY), "{before:?}");
            assert_eq!(*file.without_key().unwrap(), after, "{before:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_changed_is_placed_and_not_shown() {
        for (text, expected) in [
            ("a: [\napi_key: KEY\n", "line "),
            (
                "- api_key: KEY\n",
                "line 1, column 1: the file is not a mapping",
            ),
            ("KEY\n", "the file is not a mapping"),
            ("api_key: [KEY]\n", "`api_key` is not a text"),
            ("a: &k KEY\napi_key: *k\n", "`api_key` is not a text"),
            (
                "api_key: KEY\napi_key: KEY\n",
                "line 2, column 10: `api_key` stands there twice",
            ),
            ("api_key: KEY\n---\nb: 1\n", "a second document"),
        ] {
            let Err(error) = parse(&text.replace("KEY", KEY)) else {
                panic!("{text:?} was read");
            };
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("Jf83"), "{error}");
        }
        for text in [
            "api_key: KEY\n# it was KEY\n",
            "api_key: KEY\nold: KEY\n",
            "api_key: |\n  KEY\nb: 2\n",
        ] {
            let file = parse(&text.replace("KEY", KEY)).unwrap();
            match file.without_key() {
                // Every way that is found is fine, as long as the key is gone.
                Ok(edited) => assert!(!edited.contains("Jf83"), "{}", *edited),
                Err(error) => assert!(!error.to_string().contains("Jf83"), "{error}"),
            }
        }
    }

    /// A value as YAML writes it, in one of several styles.
    fn value() -> impl Strategy<Value = String> {
        let plain = "[a-zA-Z][a-zA-Z0-9_./é→-]{0,12}";
        prop_oneof![
            plain,
            plain.prop_map(|text| format!("'{text}''s: # no comment'")),
            plain.prop_map(|text| format!("\"{text} \\\" é\"")),
            plain.prop_map(|text| format!("[1, {text}, {{api_key: {text}}}]")),
            plain.prop_map(|text| format!("{{x: {text}, y: [~]}}")),
            plain.prop_map(|text| format!("|\n    {text}\n    second: line")),
            plain.prop_map(|text| format!("\n    api_key: {text}\n    deep:\n      - {text}")),
            Just(String::new()),
        ]
    }

    fn line() -> impl Strategy<Value = String> {
        let comment = prop_oneof![Just(""), Just(" # é comment: api_key: x"), Just("   ")];
        prop_oneof![
            4 => ("k[a-z]{1,8}", value(), comment).prop_map(|(key, value, comment)| {
                match value.contains('\n') {
                    true => format!("{key}: {value}"),
                    false => format!("{key}: {value}{comment}"),
                }
            }),
            1 => Just("# api_key: none".to_owned()),
            1 => Just(String::new()),
        ]
    }

    proptest! {
        #[test]
        fn everything_but_the_key_stays_byte_for_byte(
            before in prop::collection::vec(line(), 0..6),
            after in prop::collection::vec(line(), 0..6),
            quote in prop_oneof![Just(""), Just("'"), Just("\"")],
            key in "ont_live_[a-zA-Z0-9]{12}_[a-zA-Z0-9]{43}",
            comment in prop_oneof![Just(""), Just("  # mine, é")],
            end in prop_oneof![Just("\n"), Just("\r\n")],
            last in any::<bool>(),
        ) {
            let lines = |lines: &[String]| -> String {
                lines.iter().map(|line| format!("{}{end}", line.replace('\n', end))).collect()
            };
            // A key may stand once; what is drawn twice is left out.
            let mut seen = std::collections::BTreeSet::new();
            let mut once = |lines: Vec<String>| -> Vec<String> {
                let mut kept = lines;
                kept.retain(|line| !line.starts_with('k') || {
                    seen.insert(line.split(':').next().unwrap_or_default().to_owned())
                });
                kept
            };
            let (before, after) = (once(before), once(after));
            let head = format!("{}api_key: ", lines(&before));
            let tail = format!("{comment}{}{}", if last { "" } else { end }, match last {
                true => String::new(),
                false => lines(&after),
            });
            let text = format!("{head}{quote}{key}{quote}{tail}");
            let file = parse(&text).map_err(TestCaseError::fail)?;
            prop_assert_eq!(file.api_key(), Some(key.as_str()));
            let edited = file.without_key().map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&*edited, &format!("{head}\"\"{tail}"));
            let again = parse(&edited).map_err(TestCaseError::fail)?;
            prop_assert_eq!(again.api_key(), None);
            prop_assert_eq!(&*again.without_key().unwrap(), &*edited);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\n\té→]{0,80}") {
            if let Ok(file) = parse(&text) {
                let _ = file.without_key();
            }
        }
    }
}

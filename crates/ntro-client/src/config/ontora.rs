use std::path::{Path, PathBuf};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use zeroize::Zeroizing;

use super::Error;
use super::error::read_text;
use ntro_base::disk::{self, FileLock};
use ntro_base::env::Env;

/// Replaces a removed key; the official client reads it as no key.
const EMPTY: &str = "\"\"";

/// `~/.ontora/config.yaml`, the file of Ontora's official client.
///
/// The only change ever made to it is to empty the value of `api_key`; all other bytes stay.
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

/// A value, and where it starts in the file.
struct YamlValue {
    text: Zeroizing<String>,
    start: Marker,
}

impl OntoraFile {
    /// Returns the path of the file, if the home folder is known.
    #[must_use]
    pub fn locate(env: &Env) -> Option<PathBuf> {
        Some(env.home()?.join(".ontora").join("config.yaml"))
    }

    /// Reads the file; `None` when there is none.
    ///
    /// Fails when the file is not YAML, or a value that the official client reads is not a text.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        match read_text(path)? {
            Some(text) => Self::parse(path, text).map(Some),
            None => Ok(None),
        }
    }

    fn parse(path: &Path, text: Zeroizing<String>) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            values: Values::find(path, &events(path, &text)?)?,
            text,
        })
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the API key as written in the file.
    #[must_use]
    pub fn api_key(&self) -> Option<&str> {
        Some(self.values.api_key.as_ref()?.text.as_str())
    }

    /// Returns the base URL.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        Some(self.values.base_url.as_ref()?.text.as_str())
    }

    /// Returns the id of the workspace.
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
        let start = value.map_or(Marker::new(0, 1, 0), |value| value.start);
        bad(&self.path, start, message)
    }

    /// Returns the text of the file without the key; every other byte stays.
    ///
    /// The key must appear exactly once, on one line. The edited text is parsed again, and must
    /// differ from the original in this one value.
    pub fn without_key(&self) -> Result<Zeroizing<String>, Error> {
        let Some(key) = &self.values.api_key else {
            return Ok(self.text.clone());
        };
        let refuse = |reason| Error::NotEditable {
            path: self.path.clone(),
            key: "api_key",
            reason,
        };
        let around = match self.text.matches(key.text.trim()).count() {
            0 | 1 if key.text.contains('\n') => None,
            0 | 1 => self.text.split_once(key.text.as_str()),
            _ => return Err(refuse("the key appears a second time")),
        };
        let around = around.ok_or_else(|| refuse("the key is not plain characters on one line"))?;
        let (before, after) = around;
        let (before, after) = ["\"", "'"]
            .into_iter()
            .find_map(|quote| before.strip_suffix(quote).zip(after.strip_prefix(quote)))
            .unwrap_or((before, after));
        let parts = [before, EMPTY, after];
        // Allocated in full: a buffer that grows leaves copies of its content behind.
        let mut edited = Zeroizing::new(String::with_capacity(parts.iter().map(|p| p.len()).sum()));
        parts.iter().for_each(|part| edited.push_str(part));

        let invalid = |_| refuse("the rest of the file would no longer be valid");
        match only_the_key_differs(
            &events(&self.path, &self.text)?,
            &events(&self.path, &edited).map_err(invalid)?,
        ) {
            true => Ok(edited),
            false => Err(refuse("other parts of the file depend on it")),
        }
    }

    /// Writes the file without the key, as [`OntoraFile::without_key`].
    pub fn erase_key(&self, lock: &FileLock) -> Result<(), Error> {
        let text = self.without_key()?;
        Ok(disk::replace(&self.path, text.as_bytes(), lock)?)
    }
}

/// Returns whether exactly one event differs, and is now an empty scalar that no alias refers to.
fn only_the_key_differs(before: &[(Event<'_>, Span)], after: &[(Event<'_>, Span)]) -> bool {
    let events = before
        .iter()
        .zip(after)
        .map(|((old, _), (new, _))| (old, new));
    let mut changed = events.filter(|(old, new)| old != new);
    let Some((_, Event::Scalar(text, _, anchor, _))) = changed.next() else {
        return false;
    };
    let is_shared =
        |(event, _): &(Event<'_>, Span)| matches!(event, Event::Alias(to) if to == anchor);
    text.is_empty()
        && changed.next().is_none()
        && before.len() == after.len()
        && !after.iter().any(is_shared)
}

fn events<'a>(path: &Path, text: &'a str) -> Result<Vec<(Event<'a>, Span)>, Error> {
    Parser::new_from_str(text)
        .collect::<Result<_, _>>()
        .map_err(|error| bad(path, *error.marker(), "this is not YAML"))
}

fn bad(path: &Path, at: Marker, message: &str) -> Error {
    Error::at(path, at.line(), at.col() + 1, message)
}

impl Values {
    /// Finds the values in the mapping that the file consists of.
    fn find(path: &Path, events: &[(Event<'_>, Span)]) -> Result<Self, Error> {
        let bad = |span: &Span, message: &str| bad(path, span.start, message);
        let mut values = Self::default();
        let (mut documents, mut depth) = (0, 0);
        // The key of the next value. A key that is not a scalar counts as empty.
        let mut key: Option<String> = None;
        for (event, span) in events {
            let value = match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(bad(span, "a second document begins here"));
                    }
                    continue;
                }
                Event::MappingStart(..) | Event::SequenceStart(..) => {
                    depth += 1;
                    match depth {
                        1 if matches!(event, Event::SequenceStart(..)) => {
                            return Err(bad(span, "the file is not a mapping"));
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
                        0 => return Err(bad(span, "the file is not a mapping")),
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
                return Err(bad(span, &format!("`{name}` is not a text")));
            };
            if slot.is_some() {
                return Err(bad(span, &format!("`{name}` appears twice")));
            }
            if !null && !value.trim().is_empty() {
                *slot = Some(YamlValue {
                    text: Zeroizing::new(value.to_string()),
                    start: span.start,
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
        OntoraFile::parse(Path::new("config.yaml"), text.to_owned().into())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn documented_file_reads() {
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
    fn empty_values_are_no_key() {
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
    fn key_is_removed_in_every_style() {
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
            ("api_key: \"KEY\"  # a \"\n", "api_key: \"\"  # a \"\n"),
            ("api_key: 'KEY '\n", "api_key: \"\"\n"),
            (
                "c: {api_key: x}\napi_key: KEY\n",
                "c: {api_key: x}\napi_key: \"\"\n",
            ),
        ] {
            let file = parse(&before.replace("KEY", KEY)).unwrap();
            assert_eq!(file.api_key().unwrap().trim(), KEY, "{before:?}");
            assert_eq!(*file.without_key().unwrap(), after, "{before:?}");
        }
    }

    #[test]
    fn errors_have_place_and_no_key() {
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
                "line 2, column 10: `api_key` appears twice",
            ),
            ("api_key: KEY\n---\nb: 1\n", "a second document"),
        ] {
            let Err(error) = parse(&text.replace("KEY", KEY)) else {
                panic!("{text:?} was read");
            };
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("Jf83"), "{error}");
        }
        for (text, reason) in [
            ("api_key: KEY\n# it was KEY\n", "a second time"),
            ("api_key: KEY\nold: KEY\n", "a second time"),
            ("api_key: KEY\nold: xKEYx\n", "a second time"),
            ("api_key: |\n  KEY\nb: 2\n", "plain characters"),
            ("api_key: &k KEY\nb: *k\n", "other parts of the file"),
            ("api_key: \"\\x6fKEY\" # a\n", "plain characters"),
            ("api_key: \"\\x6fnt_live\" # a\n", "plain characters"),
            (
                "api_key: \"\\x6fnt_live\" # ont_live\n",
                "other parts of the file",
            ),
        ] {
            let file = parse(&text.replace("KEY", KEY)).unwrap();
            let error = file.without_key().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
            assert!(!error.contains("Jf83"), "{error}");
        }
    }

    /// A value in one of YAML's styles.
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
        fn other_bytes_stay(
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
            // A key may appear once; duplicates are left out.
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
        fn any_text_is_accepted_or_refused(text in "[ -~\n\té→]{0,80}") {
            if let Ok(file) = parse(&text) {
                let _ = file.without_key();
            }
        }
    }
}

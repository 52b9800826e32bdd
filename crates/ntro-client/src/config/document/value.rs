use std::fmt;

use zeroize::Zeroizing;

/// A value that can be written.
#[derive(Clone)]
pub enum Value {
    /// A string, which may be a key.
    Text(Zeroizing<String>),
    /// A boolean.
    Flag(bool),
    /// An array of strings.
    Words(Vec<String>),
}

impl Value {
    /// Returns the value as TOML, in one line.
    pub(in crate::config) fn literal(&self) -> Zeroizing<String> {
        match self {
            Self::Text(text) => quoted(text),
            Self::Flag(flag) => flag.to_string().into(),
            Self::Words(words) => {
                let words: Vec<_> = words.iter().map(|word| quoted(word).to_string()).collect();
                format!("[{}]", words.join(", ")).into()
            }
        }
    }
}

impl fmt::Debug for Value {
    /// Shows no text: it may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value")
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned().into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Vec<String>> for Value {
    fn from(words: Vec<String>) -> Self {
        Self::Words(words)
    }
}

/// Returns one part of a key as TOML.
pub(super) fn key(name: &str) -> Zeroizing<String> {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned().into(),
        false => quoted(name),
    }
}

/// Returns a basic string in one line.
fn quoted(text: &str) -> Zeroizing<String> {
    /// `\uXXXX`, the longest escape of one byte.
    const LONGEST: usize = 6;

    // Allocated in full: a growing buffer leaves copies behind.
    let mut quoted = Zeroizing::new(String::with_capacity(LONGEST * text.len() + 2));
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

//! JSON without invisible characters.

use std::fmt::Write as _;

use ntro_base::is_hidden;
use serde::Serialize;

/// Returns a value as indented JSON.
pub(super) fn indented(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(without_hidden)
}

/// Returns a value as one line of JSON.
pub(crate) fn line(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(without_hidden)
}

/// Escapes the invisible characters of strings; outside of strings, JSON has none but line breaks.
fn without_hidden(json: String) -> String {
    let is_plain = |character| character == '\n' || !is_hidden(character);
    if json.chars().all(is_plain) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_plain(character) {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_and_equal() {
        let text = "a\u{1b}\u{7f}\u{9b}\u{202e}\u{2028}\u{e0041}\né";
        let json = indented(&[text]).unwrap();
        assert_eq!(
            json,
            "[\n  \"a\\u001b\\u007f\\u009b\\u202e\\u2028\\udb40\\udc41\\né\"\n]"
        );
        assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [text]);
    }
}

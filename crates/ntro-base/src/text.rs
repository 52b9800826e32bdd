//! Shows untrusted text: no terminal control, nothing invisible, and no two names alike.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// The start of an escape: `<U+200B>`.
const MARK: &str = "<U+";

/// Returns a name as one line in which every invisible character is escaped: `prod<U+200B>`.
/// Different names stay different.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    let has_edge = text.starts_with(' ') || text.ends_with(' ');
    if is_printable(text) && !has_edge && !text.contains(MARK) {
        return text.into();
    }
    let (first, last) = (text.trim_start_matches(' '), text.trim_end_matches(' '));
    let inside = text.len() - first.len()..last.len();
    let mut shown = String::with_capacity(text.len() + 16);
    for (index, character) in text.char_indices() {
        let is_mark = character == '<' && text[index..].starts_with(MARK);
        if is_hidden(character) || is_mark || !inside.contains(&index) {
            push_escape(&mut shown, character);
        } else {
            shown.push(character);
        }
    }
    shown.into()
}

/// Returns a sentence on one line of at most `limit` characters, with invisible characters escaped.
///
/// Line breaks, tabs and runs of white space become one space. A shortened text ends in `…`.
#[must_use]
pub fn printable(text: &str, limit: usize) -> String {
    let mut clean = String::new();
    let mut count = 0;
    // The length of the text that leaves room for `…`.
    let mut room = 0;
    let mut word = String::new();
    let mut gap = false;
    for character in text.chars() {
        // U+0085 is white space in Unicode and a control character in terminals: treated as a
        // space.
        if character.is_whitespace() {
            gap = count > 0;
            continue;
        }
        word.clear();
        if gap {
            word.push(' ');
        }
        match is_hidden(character) {
            true => push_escape(&mut word, character),
            false => word.push(character),
        }
        count += word.chars().count();
        if count > limit {
            clean.truncate(room);
            clean.push('…');
            break;
        }
        clean.push_str(&word);
        if count < limit {
            room = clean.len();
        }
        gap = false;
    }
    clean
}

/// Returns `bytes` without the byte order mark of UTF-8 that some editors write before a text.
#[must_use]
pub fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// Returns whether `text` is one line without invisible characters, so that it is safe to show
/// unchanged.
#[must_use]
pub fn is_printable(text: &str) -> bool {
    // Fast path: most texts are ASCII, and a list has thousands.
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_hidden)
}

/// Returns whether a character is invisible, or changes how other text is shown: controls, format
/// characters, separators other than the space, fillers, variation selectors, noncharacters.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    match character {
        ' '..='~' => false,
        _ => {
            character.is_control()
                || character.is_whitespace()
                || is_ignorable(character)
                || u32::from(character) & 0xfffe == 0xfffe
        }
    }
}

/// The Unicode properties Cf (without the visible signs in front of numbers) and
/// `Default_Ignorable_Code_Point`, the blank of Braille, and the noncharacters in Arabic.
fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

fn push_escape(text: &mut String, character: char) {
    let _ = write!(text, "{MARK}{:04X}>", u32::from(character));
}

/// A character in a message: `'/'`, `U+200B`.
pub(crate) struct CharacterName(pub(crate) char);

impl fmt::Display for CharacterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            character if is_hidden(character) => write!(f, "U+{:04X}", u32::from(character)),
            character => write!(f, "{character:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terminal_control_is_escaped() {
        for (text, expected) in [
            ("plain – ключ 鍵 é", "plain – ключ 鍵 é"),
            ("\u{1b}[31mred\u{1b}[0m", "<U+001B>[31mred<U+001B>[0m"),
            ("\u{1b}]0;title\u{7}x", "<U+001B>]0;title<U+0007>x"),
            ("\u{9b}2Jx\u{7f}\u{0}", "<U+009B>2Jx<U+007F><U+0000>"),
            ("a\r\nb\t\u{2028}c\u{85}d", "a b c d"),
            ("user\u{202e}gpj.exe\u{2066}", "user<U+202E>gpj.exe<U+2066>"),
            ("\u{200b}zero\u{feff}", "<U+200B>zero<U+FEFF>"),
            ("  \n ", ""),
        ] {
            assert_eq!(printable(text, 100), expected, "{text:?}");
            assert_eq!(is_printable(text), text == expected, "{text:?}");
        }
    }

    #[test]
    fn names_are_escaped_whole() {
        for (text, expected) in [
            ("a b", "a b"),
            (" a  b ", "<U+0020>a  b<U+0020>"),
            ("  ", "<U+0020><U+0020>"),
            ("a\nb", "a<U+000A>b"),
            ("prod\u{e0041}", "prod<U+E0041>"),
            ("prod<U+200B>", "prod<U+003C>U+200B>"),
            ("a<b", "a<b"),
        ] {
            assert_eq!(escaped(text), expected, "{text:?}");
        }
    }

    #[test]
    fn long_text_ends_in_ellipsis() {
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("abcdefg", 6), "abcde…");
        assert_eq!(printable("abcde fg", 6), "abcde…");
        assert_eq!(printable("ab\u{200b}cd", 9), "ab…");
        assert_eq!(printable(&"ж".repeat(1_000), 10).chars().count(), 10);
    }

    proptest! {
        #[test]
        fn output_is_always_printable(text in any::<String>(), limit in 1_usize..80) {
            let clean = printable(&text, limit);
            prop_assert!(clean.chars().count() <= limit);
            prop_assert!(!clean.chars().any(is_hidden));
            prop_assert!(is_printable(&clean));
            prop_assert_eq!(clean.trim(), clean.as_str());
            prop_assert_eq!(printable(&clean, limit), clean);
        }

        #[test]
        fn distinct_names_print_distinctly(
            one in "[ab <U+200B>\\u{0}\\u{200b}\\u{20}\\n]{0,6}",
            other in "[ab <U+200B>\\u{0}\\u{200b}\\u{20}\\n]{0,6}",
            any in any::<String>(),
        ) {
            prop_assert_eq!(one == other, escaped(&one) == escaped(&other));
            for text in [&one, &any] {
                let shown = escaped(text);
                prop_assert!(is_printable(&shown));
                prop_assert_eq!(shown.trim(), &*shown);
                prop_assert!(escaped(&shown) == shown || shown.contains(MARK));
            }
        }
    }
}

//! Removes terminal control sequences from untrusted text.

/// Returns `text` on one line of at most `limit` characters, without characters that control a
/// terminal or reorder the text.
///
/// Control characters (C0, DEL, C1, and so every escape sequence), bidirectional marks and
/// invisible format characters are dropped; line breaks, tabs and runs of white space become one
/// space. A shortened text ends in `…`.
#[must_use]
pub fn printable(text: &str, limit: usize) -> String {
    let mut clean = String::new();
    let mut count = 0;
    let mut gap = false;
    for character in text.chars() {
        // U+0085 is white space in Unicode and a control character in terminals: treated as a
        // space.
        if character.is_whitespace() {
            gap = count > 0;
            continue;
        }
        if character.is_control() || is_format(character) {
            continue;
        }
        let needed = usize::from(gap) + 1;
        if count + needed > limit {
            clean.pop();
            clean.push('…');
            break;
        }
        if gap {
            clean.push(' ');
        }
        clean.push(character);
        count += needed;
        gap = false;
    }
    clean
}

/// Returns `bytes` without the byte order mark of UTF-8 that some editors write before a text.
#[must_use]
pub fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// Returns whether `text` is one line without characters that control a terminal or reorder the
/// text, so that it is safe to show unchanged.
#[must_use]
pub fn is_printable(text: &str) -> bool {
    // Fast path: most texts are ASCII, and a list has thousands.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return true;
    }
    let breaks_lines = |character| matches!(character, '\u{2028}' | '\u{2029}');
    !text
        .chars()
        .any(|character| character.is_control() || is_format(character) || breaks_lines(character))
}

/// Invisible characters that change how other text is shown: Unicode category Cf, except characters
/// that a script needs for spelling.
fn is_format(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terminal_control_is_dropped() {
        for (text, expected) in [
            ("plain – ключ 鍵 é", "plain – ключ 鍵 é"),
            ("\u{1b}[31mred\u{1b}[0m", "[31mred[0m"),
            ("\u{1b}]0;title\u{7}x", "]0;titlex"),
            ("\u{9b}2Jx\u{7f}\u{0}", "2Jx"),
            ("a\r\nb\t\u{2028}c\u{85}d", "a b c d"),
            ("user\u{202e}gpj.exe\u{2066}", "usergpj.exe"),
            ("\u{200b}zero\u{feff}", "zero"),
            ("  \n ", ""),
        ] {
            assert_eq!(printable(text, 100), expected, "{text:?}");
            assert_eq!(is_printable(text), text == expected, "{text:?}");
        }
    }

    #[test]
    fn long_text_ends_in_ellipsis() {
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("abcdefg", 6), "abcde…");
        assert_eq!(printable("abcde fg", 6), "abcd…");
        assert_eq!(printable(&"ж".repeat(1_000), 10).chars().count(), 10);
    }

    proptest! {
        #[test]
        fn output_is_always_printable(text in any::<String>(), limit in 1_usize..80) {
            let clean = printable(&text, limit);
            prop_assert!(clean.chars().count() <= limit);
            prop_assert!(!clean.chars().any(|c| c.is_control() || is_format(c)));
            prop_assert!(is_printable(&clean));
            prop_assert_eq!(clean.trim(), clean.as_str());
            prop_assert_eq!(printable(&clean, limit), clean);
        }
    }
}

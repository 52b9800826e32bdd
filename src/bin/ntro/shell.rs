//! Commands for the user to type.

use std::borrow::Cow;

/// Quotes a word for a shell if needed: a name may contain spaces and other special characters.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")).into(),
    }
}

/// Quotes a word for fish, where a backslash escapes both itself and a quotation mark.
pub(crate) fn quoted_for_fish(word: &str) -> String {
    format!("'{}'", word.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Quotes a word for PowerShell, which takes typographic quotation marks for plain ones. Two stand
/// for one.
pub(crate) fn quoted_for_powershell(word: &str) -> String {
    let mut quoted = String::from("'");
    for character in word.chars() {
        if matches!(character, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(character);
        }
        quoted.push(character);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_quoted() {
        for (word, shown) in [
            ("local", "local"),
            ("http://localhost:3000/v1", "http://localhost:3000/v1"),
            ("/home/ada/.ntro", "/home/ada/.ntro"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("it's", r"'it'\''s'"),
            ("größe", "'größe'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }

    #[test]
    fn every_shell_has_its_quotes() {
        for (word, fish, powershell) in [
            ("a$b", "'a$b'", "'a$b'"),
            ("it's", r"'it\'s'", "'it''s'"),
            (r"a\b", r"'a\\b'", r"'a\b'"),
            ("’x‛", "'’x‛'", "'’’x‛‛'"),
        ] {
            assert_eq!(quoted_for_fish(word), fish);
            assert_eq!(quoted_for_powershell(word), powershell);
        }
    }
}

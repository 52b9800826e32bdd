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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
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
}

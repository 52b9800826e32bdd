//! The text of an answer while it is typed.

use ntro_base::{Provider, is_printable};
use unicode_width::UnicodeWidthChar as _;
use zeroize::Zeroizing;

use super::key::Key;

/// Longer than any answer. A buffer that grows leaves copies of a secret behind.
const LONGEST: usize = 8 * 1024;

/// A text of this length that begins as an API key is taken for one.
const KEY_LENGTH: usize = 20;

/// A line with a cursor.
pub(super) struct Editor {
    text: Zeroizing<String>,
    /// Position of the cursor in bytes.
    cursor: usize,
    /// Whether the text was offered, so that the first typed character replaces it.
    offered: bool,
}

impl Editor {
    pub(super) fn new(offered: &str) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(LONGEST));
        text.push_str(offered);
        Self {
            cursor: text.len(),
            offered: !text.is_empty(),
            text,
        }
    }

    /// Returns an editor with a text that is being typed.
    pub(super) fn typing(key: Key) -> Self {
        let mut editor = Self::new("");
        editor.apply(key);
        editor
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Applies a key that edits; ignores all others.
    pub(super) fn apply(&mut self, key: Key) {
        match key {
            Key::Char(character) => {
                let mut buffer = Zeroizing::new([0; 4]);
                self.insert(character.encode_utf8(&mut *buffer));
            }
            Key::Paste(text) => self.insert(text.trim_matches(['\r', '\n'])),
            Key::Backspace => self.remove(self.before()..self.cursor),
            Key::Delete => self.remove(self.cursor..self.after()),
            Key::Kill => self.remove(0..self.cursor),
            Key::KillWord => {
                let kept = self.text[..self.cursor].trim_end();
                let start = kept.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                self.remove(start..self.cursor);
            }
            Key::Left => self.cursor = self.before(),
            Key::Right => self.cursor = self.after(),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.text.len(),
            _ => return,
        }
        self.offered = false;
    }

    fn insert(&mut self, text: &str) {
        if self.offered {
            self.remove(0..self.text.len());
        }
        for character in text.chars() {
            let character = match character {
                '\r' | '\n' => ' ',
                character => character,
            };
            if self.text.len() + character.len_utf8() > LONGEST {
                return;
            }
            self.text.insert(self.cursor, character);
            self.cursor += character.len_utf8();
        }
    }

    fn remove(&mut self, range: std::ops::Range<usize>) {
        self.cursor = range.start;
        self.text.replace_range(range, "");
    }

    fn before(&self) -> usize {
        let last = self.text[..self.cursor].chars().next_back();
        self.cursor - last.map_or(0, char::len_utf8)
    }

    fn after(&self) -> usize {
        let next = self.text[self.cursor..].chars().next();
        self.cursor + next.map_or(0, char::len_utf8)
    }

    /// Returns the part of the text to show in `width` columns, and the column of the cursor.
    pub(super) fn view(&self, width: usize) -> (String, usize) {
        if looks_like_key(&self.text) {
            let shown = "(API key, not shown)";
            let shown = &shown[..shown.len().min(width.saturating_sub(1))];
            return (shown.to_owned(), shown.len());
        }
        let mut start = 0;
        while columns(&self.text[start..self.cursor]) >= width.max(1) {
            start += self.text[start..].chars().next().map_or(1, char::len_utf8);
        }
        let mut view = String::new();
        let mut used = 0;
        for character in self.text[start..].chars().map(shown) {
            used += character.width().unwrap_or(0);
            if used >= width {
                break;
            }
            view.push(character);
        }
        (view, columns(&self.text[start..self.cursor]))
    }
}

/// Returns the columns that a text takes on the screen.
pub(super) fn columns(text: &str) -> usize {
    let width = |character: char| shown(character).width().unwrap_or(0);
    text.chars().map(width).sum()
}

/// Replaces characters that control a terminal.
fn shown(character: char) -> char {
    match is_printable(character.encode_utf8(&mut [0; 4])) {
        true => character,
        false => char::REPLACEMENT_CHARACTER,
    }
}

/// Returns whether a text has a word that is probably an API key, which no question with echo asks
/// for.
pub(super) fn looks_like_key(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let word = word.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        // An assignment, such as `ONTORA_API_KEY=…`.
        let word = word.split_once('=').map_or(word, |(_, value)| value);
        let word = word.trim_start_matches(['"', '\'']);
        word.len() >= KEY_LENGTH && Provider::of_key(word).is_some() && !word.contains(['.', '/'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(offered: &str, keys: Vec<Key>) -> Editor {
        let mut editor = Editor::new(offered);
        keys.into_iter().for_each(|key| editor.apply(key));
        editor
    }

    fn paste(text: &str) -> Key {
        Key::Paste(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn keys_edit_text() {
        let keys = vec![
            paste("\nhost:30\r\n"),
            Key::Left,
            Key::Backspace,
            Key::Char('4'),
            Key::End,
            Key::Char('ö'),
            Key::Backspace,
            Key::Home,
            Key::Delete,
            Key::Char('g'),
        ];
        assert_eq!(typed("", keys).text(), "gost:40");
        assert_eq!(
            typed("", vec![paste("one two "), Key::KillWord]).text(),
            "one "
        );
        assert_eq!(
            typed("", vec![paste("two\nlines"), Key::Enter]).text(),
            "two lines"
        );
        assert_eq!(typed("", vec![paste("gone"), Key::Kill]).text(), "");
    }

    #[test]
    fn typing_replaces_offered_text() {
        assert_eq!(typed("old", vec![Key::Char('n')]).text(), "n");
        assert_eq!(typed("old", vec![paste("new")]).text(), "new");
        assert_eq!(
            typed("old", vec![Key::Right, Key::Char('s')]).text(),
            "olds"
        );
        assert_eq!(typed("old", vec![Key::Backspace]).text(), "ol");
        assert_eq!(typed("old", vec![]).text(), "old");
    }

    #[test]
    fn view_scrolls_to_cursor() {
        let mut editor = typed("", vec![paste("https://example.test/v1")]);
        assert_eq!(editor.view(40), ("https://example.test/v1".to_owned(), 23));
        assert_eq!(editor.view(8), ("test/v1".to_owned(), 7));
        editor.apply(Key::Home);
        assert_eq!(editor.view(8), ("https:/".to_owned(), 0));
        assert_eq!(typed("", vec![paste("日本語")]).view(4).0, "語");
        assert_eq!(typed("", vec![paste("a\u{1b}b")]).view(9).0, "a\u{fffd}b");
    }

    #[test]
    fn pasted_key_is_not_shown() {
        for text in [
            "ntro_prod_good_k9Zr4MxQ2bLw",
            "\"ntro_prod_good_k9Zr4MxQ2bLw\"",
            "NTRO_API_KEY=ntro_prod_good_k9Zr4MxQ2bLw",
            "ont_live_0123456789abcdef",
            "ONTORA_API_KEY=ont_live_0123456789abcdef",
            "export KEY='ont_live_0123456789abcdef'",
            "y ntro_prod_good_k9Zr4MxQ2bLw\necho",
        ] {
            let (view, _) = typed("", vec![paste(text)]).view(80);
            assert!(!view.contains("_"), "{view}");
        }
        for text in ["ntro_staging", "https://ntro_x.example.test/v1"] {
            assert_eq!(typed("", vec![paste(text)]).view(80).0, text);
        }
    }
}

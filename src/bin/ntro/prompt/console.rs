//! The keyboard of a Windows console.

use std::io;

use console::Term;

use super::key::Key;
use crate::error::CliError;
use crate::exit::Kind;

/// Reads keys. The console restores its modes after each of them.
pub(super) struct Keyboard(Term);

impl Keyboard {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "opening a terminal may fail on Unix"
    )]
    pub(super) fn open() -> Result<Self, CliError> {
        Ok(Self(Term::stderr()))
    }

    #[expect(clippy::unused_self, reason = "the console reads one key at a time")]
    pub(super) fn has_more(&self) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "the console has no queue to discard")]
    pub(super) fn discard(&mut self) {}

    pub(super) fn key(&mut self) -> Result<Key, CliError> {
        match self.0.read_key() {
            Ok(key) => Ok(meaning(&key)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Key::Interrupt),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Key::EndOfInput),
            Err(error) => Err(CliError::new(
                Kind::Failure,
                format!("the terminal cannot be read: {error}"),
            )),
        }
    }
}

fn meaning(key: &console::Key) -> Key {
    use console::Key as K;

    match *key {
        K::Enter | K::Char('\r' | '\n') => Key::Enter,
        K::Escape => Key::Escape,
        K::Backspace | K::Char('\u{8}' | '\u{7f}') => Key::Backspace,
        K::Del => Key::Delete,
        K::ArrowLeft => Key::Left,
        K::ArrowRight => Key::Right,
        K::ArrowUp => Key::Up,
        K::ArrowDown => Key::Down,
        K::Home => Key::Home,
        K::End => Key::End,
        K::Tab => Key::Char('\t'),
        K::CtrlC | K::Char('\u{3}') => Key::Interrupt,
        K::Char('\u{4}' | '\u{1a}') => Key::EndOfInput,
        K::Char('\u{15}') => Key::Kill,
        K::Char('\u{17}') => Key::KillWord,
        K::Char(character) if !character.is_control() => Key::Char(character),
        _ => Key::Unknown,
    }
}

/// Returns the columns and rows of the console.
pub(super) fn size() -> (usize, usize) {
    let (rows, columns) = Term::stderr().size();
    (columns.into(), rows.into())
}

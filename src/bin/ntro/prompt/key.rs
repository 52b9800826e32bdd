//! Keys as a person presses them, decoded from the bytes of a terminal.

use zeroize::Zeroizing;

/// A key, or a text that was pasted in one piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Paste(Zeroizing<String>),
    Enter,
    Escape,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    /// Ctrl-U.
    Kill,
    /// Ctrl-W.
    KillWord,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-\.
    Quit,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-D.
    EndOfInput,
    /// The screen has changed: Ctrl-L, or the process was continued.
    Redraw,
    /// The size of the terminal has changed.
    Resize,
    /// The question needs no answer any more.
    #[cfg(unix)]
    Withdrawn,
    /// A key without a meaning here.
    Unknown,
}

/// The keys that a person can change with `stty`; 0 disables one.
#[cfg(unix)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlKeys {
    pub(crate) interrupt: u8,
    pub(crate) quit: u8,
    pub(crate) suspend: u8,
    pub(crate) erase: u8,
}

#[cfg(unix)]
pub(super) use decoder::Decoder;

#[cfg(unix)]
mod decoder {
    use super::{ControlKeys, Key, Zeroizing};

    /// More than a paste that means anything; the rest of a longer one is discarded.
    const LONGEST: usize = 64 * 1024;

    const PASTE_END: &[u8] = b"\x1b[201~";

    /// Turns the bytes of a terminal into keys.
    pub(crate) struct Decoder {
        pending: Zeroizing<Vec<u8>>,
        control: ControlKeys,
        pasting: bool,
    }

    impl Decoder {
        pub(crate) fn new(control: ControlKeys) -> Self {
            Self {
                pending: Zeroizing::new(Vec::with_capacity(LONGEST)),
                control,
                pasting: false,
            }
        }

        pub(crate) fn feed(&mut self, bytes: &[u8]) {
            let room = LONGEST - self.pending.len();
            self.pending
                .extend_from_slice(&bytes[..bytes.len().min(room)]);
        }

        /// Returns whether nothing is waiting for more bytes.
        pub(crate) fn is_empty(&self) -> bool {
            self.pending.is_empty() && !self.pasting
        }

        /// Discards all bytes.
        pub(crate) fn clear(&mut self) {
            self.pending.clear();
            self.pasting = false;
        }

        /// Returns whether a paste has begun and not ended.
        pub(crate) fn is_pasting(&self) -> bool {
            self.pasting
        }

        /// Returns the next key; `None` if more bytes may belong to it. With `complete`, no more
        /// bytes follow.
        pub(crate) fn next(&mut self, complete: bool) -> Option<Key> {
            if self.pasting {
                return self.paste(complete);
            }
            let (key, length) = match *self.pending.as_slice() {
                [] => return None,
                [0x1b] if complete => (Key::Escape, 1),
                [0x1b] => return None,
                [0x1b, 0x1b, ..] => (Key::Escape, 1),
                [0x1b, b'[', ref rest @ ..] => match sequence(rest) {
                    Some((key, length)) => (key, 2 + length),
                    None if complete => (Key::Unknown, self.pending.len()),
                    None => return None,
                },
                [0x1b, b'O', last, ..] => (named(b"", last), 3),
                [0x1b, b'O'] if !complete => return None,
                [0x1b, _, ..] => (Key::Unknown, 2),
                [byte, ..] if byte < 0x80 => (self.single(byte), 1),
                ref bytes => match character(bytes) {
                    Some((character, length)) => (Key::Char(character), length),
                    None if complete => (Key::Char('\u{fffd}'), 1),
                    None => return None,
                },
            };
            self.take(length);
            match key {
                Key::Paste(_) => {
                    self.pasting = true;
                    self.paste(complete)
                }
                key => Some(key),
            }
        }

        fn paste(&mut self, complete: bool) -> Option<Key> {
            let end = self
                .pending
                .windows(PASTE_END.len())
                .position(|bytes| bytes == PASTE_END);
            let (length, taken) = match end {
                Some(end) => (end, end + PASTE_END.len()),
                None if complete => (self.pending.len(), self.pending.len()),
                None if self.pending.len() > LONGEST / 2 => {
                    // Keeps a part of the end mark.
                    self.take(self.pending.len() - PASTE_END.len());
                    return None;
                }
                None => return None,
            };
            let text = String::from_utf8_lossy(&self.pending[..length]).into_owned();
            self.pasting = false;
            self.take(taken);
            Some(Key::Paste(Zeroizing::new(text)))
        }

        fn take(&mut self, length: usize) {
            self.pending.drain(..length);
        }

        fn single(&self, byte: u8) -> Key {
            let control = self.control;
            match byte {
                0 => Key::Unknown,
                _ if byte == control.interrupt => Key::Interrupt,
                _ if byte == control.quit => Key::Quit,
                _ if byte == control.suspend => Key::Suspend,
                _ if byte == control.erase => Key::Backspace,
                b'\r' | b'\n' => Key::Enter,
                0x7f | 0x08 => Key::Backspace,
                0x01 => Key::Home,
                0x02 => Key::Left,
                0x04 => Key::EndOfInput,
                0x05 => Key::End,
                0x06 => Key::Right,
                0x0c => Key::Redraw,
                0x0e => Key::Down,
                0x10 => Key::Up,
                0x15 => Key::Kill,
                0x17 => Key::KillWord,
                b'\t' | b' '..=b'~' => Key::Char(byte.into()),
                _ => Key::Unknown,
            }
        }
    }

    /// Returns the key of a control sequence and its length without the introducer.
    fn sequence(bytes: &[u8]) -> Option<(Key, usize)> {
        let end = bytes.iter().position(|byte| !(0x20..0x40).contains(byte))?;
        Some((named(&bytes[..end], bytes[end]), end + 1))
    }

    fn named(parameters: &[u8], last: u8) -> Key {
        match (parameters, last) {
            (_, b'A') => Key::Up,
            (_, b'B') => Key::Down,
            (_, b'C') => Key::Right,
            (_, b'D') => Key::Left,
            (_, b'H') | (b"1" | b"7", b'~') => Key::Home,
            (_, b'F') | (b"4" | b"8", b'~') => Key::End,
            (_, b'M') => Key::Enter,
            (b"3", b'~') => Key::Delete,
            (b"200", b'~') => Key::Paste(Zeroizing::default()),
            _ => Key::Unknown,
        }
    }

    /// Returns the first character and its length; `None` if it is incomplete.
    fn character(bytes: &[u8]) -> Option<(char, usize)> {
        let start = &bytes[..bytes.len().min(4)];
        let text = match std::str::from_utf8(start) {
            Ok(text) => text,
            Err(error) if error.valid_up_to() > 0 => {
                std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(error) => {
                return error.error_len().map(|length| ('\u{fffd}', length));
            }
        };
        let first = text.chars().next()?;
        Some((first, first.len_utf8()))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn decoder() -> Decoder {
        Decoder::new(ControlKeys {
            interrupt: 3,
            quit: 0x1c,
            suspend: 0x1a,
            erase: 0x7f,
        })
    }

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = decoder();
        decoder.feed(bytes);
        std::iter::from_fn(|| decoder.next(true)).collect()
    }

    fn paste(text: &str) -> Key {
        Key::Paste(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn bytes_become_keys() {
        assert_eq!(keys(b"a\r"), [Key::Char('a'), Key::Enter]);
        assert_eq!(
            keys("ä日\x7f".as_bytes()),
            [Key::Char('ä'), Key::Char('日'), Key::Backspace]
        );
        assert_eq!(keys(b"\xff"), [Key::Char('\u{fffd}')]);
        assert_eq!(
            keys(b"\xe6\x97"),
            [Key::Char('\u{fffd}'), Key::Char('\u{fffd}')]
        );
        assert_eq!(
            keys(b"\x1b[A\x1bOB\x1b[1;5C\x1b[3~\x1b[15~"),
            [Key::Up, Key::Down, Key::Right, Key::Delete, Key::Unknown]
        );
        assert_eq!(keys(b"\x1b"), [Key::Escape]);
        assert_eq!(keys(b"\x1bx"), [Key::Unknown]);
        assert_eq!(
            keys(b"\x03\x1c\x1a\x04\x0c"),
            [
                Key::Interrupt,
                Key::Quit,
                Key::Suspend,
                Key::EndOfInput,
                Key::Redraw
            ]
        );
    }

    #[test]
    fn paste_is_one_key() {
        assert_eq!(
            keys(b"a\x1b[200~y\nls\x03\n\x1b[201~\r"),
            [Key::Char('a'), paste("y\nls\x03\n"), Key::Enter]
        );
        // Its end was lost.
        assert_eq!(keys(b"\x1b[200~y\n"), [paste("y\n")]);
    }

    #[test]
    fn split_bytes_give_same_keys() {
        let bytes = "x\x1b[A\x1b[200~ä\x1b[201~é\x1bOA".as_bytes();
        for at in 0..bytes.len() {
            let mut decoder = decoder();
            let mut found = Vec::new();
            for part in [&bytes[..at], &bytes[at..]] {
                decoder.feed(part);
                found.extend(std::iter::from_fn(|| decoder.next(false)));
            }
            assert_eq!(found, keys(bytes), "split at {at}");
        }
    }

    #[test]
    fn long_paste_ends() {
        let mut bytes = b"\x1b[200~".to_vec();
        bytes.extend(vec![b'k'; 200_000]);
        bytes.extend(b"\x1b[201~\r");
        let mut decoder = decoder();
        let mut found = Vec::new();
        for part in bytes.chunks(1_000) {
            decoder.feed(part);
            found.extend(std::iter::from_fn(|| decoder.next(false)));
        }
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], Key::Enter);
    }
}

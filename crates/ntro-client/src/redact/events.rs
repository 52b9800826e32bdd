//! A key whose parts come in separate events of an event stream.

use super::Match;

/// Data lines after which the part of a key is no longer awaited to go on. Others may come between,
/// such as those of a `ping`.
const NEAR: u64 = 8;
/// The name of the field with the data of an event, as each of its lines begins.
const DATA: &[u8] = b"data:";

/// Reads an event stream (`text/event-stream`) byte by byte, and keeps the parts of a key that
/// ended with a text: a data line, or a JSON string within.
///
/// An event is never held back for the next one, and what was sent cannot be masked later. So a
/// part is masked with its own event once it reaches into the second half of the key, however many
/// parts came before: a program sees at most the first half.
#[derive(Default)]
pub(super) struct Events {
    place: Place,
    /// The number of data lines that began.
    line: u64,
    parts: Vec<(Match, u64)>,
}

/// The place of a byte in its line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After some characters of `data:`.
    Name(usize),
    /// After `data:`.
    Colon,
    Data,
    /// In another field, or in a comment.
    Other,
}

impl Default for Place {
    fn default() -> Self {
        Self::Name(0)
    }
}

/// The borders of a text at a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Borders {
    /// A text ends before the byte.
    pub(super) ends: bool,
    /// A text begins after the byte.
    pub(super) begins: bool,
}

impl Events {
    /// Takes the next byte.
    pub(super) fn next(&mut self, byte: u8) -> Borders {
        let is_data = matches!(self.place, Place::Colon | Place::Data);
        let (place, ends, begins) = match (self.place, byte) {
            (_, b'\r' | b'\n') => (Place::Name(0), is_data, false),
            (Place::Name(count), _) if DATA[count] == byte => match count + 1 == DATA.len() {
                true => {
                    self.line += 1;
                    (Place::Colon, false, true)
                }
                false => (Place::Name(count + 1), false, false),
            },
            // A byte order mark comes before the first line.
            (Place::Name(0), 0x80..) => (Place::Name(0), false, false),
            (Place::Colon, b' ') => (Place::Data, false, true),
            (Place::Colon | Place::Data, _) => (Place::Data, byte == b'"', byte == b'"'),
            (Place::Name(_) | Place::Other, _) => (Place::Other, false, false),
        };
        self.place = place;
        Borders { ends, begins }
    }

    /// Keeps the part of a key that ended with a text.
    pub(super) fn keep(&mut self, part: Match) {
        let same = |(kept, _): &(Match, u64)| {
            (kept.form, kept.index, kept.escape) == (part.form, part.index, part.escape)
        };
        match self.parts.iter_mut().find(|kept| same(kept)) {
            Some(kept) => kept.1 = self.line,
            None => self.parts.push((part, self.line)),
        }
    }

    /// Returns the parts that may go on in a text that begins at an offset.
    pub(super) fn parts(&mut self, start: u64) -> impl Iterator<Item = Match> {
        let line = self.line;
        self.parts.retain(|(_, of)| line - of <= NEAR);
        let earlier = self.parts.iter().filter(move |(_, of)| *of < line);
        earlier.map(move |(part, _)| Match { start, ..*part })
    }
}

//! Redaction of API keys in a stream of bytes, across the borders of its chunks.

mod events;

use std::sync::Arc;

use ntro_base::ApiKey;
use zeroize::{Zeroize as _, Zeroizing};

use self::events::Events;

/// The character that replaces each byte of a key.
const MASK: u8 = b'*';

/// Shorter base64 text occurs by chance.
const SHORTEST_BASE64: usize = 6;

/// More matches in progress than this are checked for duplicates.
const FEW: usize = 64;

/// Replaces a key in a stream of bytes by as many `*`.
///
/// A key is found as it is and in base64 (both alphabets, at any offset); and each of its characters
/// may be percent-encoded or escaped as in JSON, all of them or some. A key that was changed in
/// another way (compressed, reversed, encoded twice) is not found.
///
/// Bytes are held back only while they may be the beginning of a key. Memory is bounded by the
/// length of the key, and time is linear in the length of the stream.
///
/// In an [event stream](Self::for_event_stream), a key is found as well whose parts come in order in
/// separate events: each at the end of a data line or of a JSON string, and the next one at the
/// beginning of such.
pub struct Redactor {
    forms: Arc<Forms>,
    matches: Vec<Match>,
    /// Reused by each step.
    next: Vec<Match>,
    /// The bytes that are not written yet; the matches begin in them.
    held: Zeroizing<Vec<u8>>,
    /// The offset in the stream of the first byte in `held`, or of the next byte.
    offset: u64,
    /// The number of matches at which duplicates are removed.
    crowd: usize,
    events: Option<Events>,
}

impl Redactor {
    /// Makes a redactor of one key.
    #[must_use]
    pub fn new(key: &ApiKey) -> Self {
        Self::of_keys([key])
    }

    /// Makes a redactor of several keys.
    #[must_use]
    pub fn of_keys<'a>(keys: impl IntoIterator<Item = &'a ApiKey>) -> Self {
        Self::of_forms(Arc::new(Forms::new(keys)))
    }

    /// Makes a redactor of the same keys for another stream.
    #[must_use]
    pub fn for_another_stream(&self) -> Self {
        Self::of_forms(Arc::clone(&self.forms))
    }

    fn of_forms(forms: Arc<Forms>) -> Self {
        Self {
            forms,
            matches: Vec::new(),
            next: Vec::new(),
            held: Zeroizing::default(),
            offset: 0,
            crowd: FEW,
            events: None,
        }
    }

    /// Makes a redactor of the same keys for an event stream (`text/event-stream`).
    #[must_use]
    pub fn for_event_stream(&self) -> Self {
        Self {
            events: Some(Events::default()),
            ..self.for_another_stream()
        }
    }

    /// Takes the next bytes of the stream and appends to `out` those that can be written.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.events.is_some() {
            for &byte in bytes {
                self.push_of_events(byte, out);
            }
            return self.release(out);
        }
        let mut rest = bytes;
        loop {
            if self.matches.is_empty() {
                let quiet = self.forms.quiet(rest);
                out.extend_from_slice(&rest[..quiet]);
                self.offset += quiet as u64;
                rest = &rest[quiet..];
            }
            let Some((&byte, others)) = rest.split_first() else {
                break;
            };
            self.step(byte);
            if self.matches.is_empty() || self.held.len() > 2 * self.forms.longest {
                self.release(out);
            }
            rest = others;
        }
        self.release(out);
    }

    /// Takes the next byte of an event stream.
    fn push_of_events(&mut self, byte: u8, out: &mut Vec<u8>) {
        let Some(events) = &mut self.events else {
            return;
        };
        let borders = events.next(byte);
        let is_quiet = self.matches.is_empty() && self.forms.begins[usize::from(byte)].is_empty();
        if is_quiet && !borders.begins {
            self.offset += 1;
            return out.push(byte);
        }
        if borders.ends {
            self.end_text();
        }
        self.step(byte);
        if borders.begins
            && let Some(events) = &mut self.events
        {
            let start = self.offset + self.held.len() as u64;
            self.matches.extend(events.parts(start));
        }
        if self.matches.is_empty() || self.held.len() > 2 * self.forms.longest {
            self.release(out);
        }
    }

    /// Keeps the parts of keys with which a text of an event ends, and masks those that show too
    /// much of one.
    fn end_text(&mut self) {
        let Some(events) = &mut self.events else {
            return;
        };
        let end = self.offset + self.held.len() as u64;
        let parts = self.matches.iter();
        // Without those that the text did not go on with.
        for part in parts.filter(|part| part.index > 0 && part.start < end) {
            if part.index > self.forms.half(part.form) {
                let from = usize::try_from(part.start - self.offset).unwrap_or(0);
                self.held[from..].fill(MASK);
            }
            events.keep(*part);
        }
    }

    /// Returns whether the bytes can be written as they are: they hold no key, nothing was held
    /// back, and they do not end in the beginning of a key. Else nothing has changed, and
    /// [`push`](Self::push) takes them.
    #[must_use]
    pub fn passes(&mut self, bytes: &[u8]) -> bool {
        let passes = self.events.is_none()
            && self.matches.is_empty()
            && self.forms.quiet(bytes) == bytes.len();
        if passes {
            self.offset += bytes.len() as u64;
        }
        passes
    }

    /// Appends what was held back: the stream has ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_text();
        self.matches.clear();
        self.release(out);
    }

    /// Redacts a whole text; `None` if it holds no key.
    #[must_use]
    pub fn redact(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut redactor = self.for_another_stream();
        if redactor.passes(text) {
            return None;
        }
        let mut out = Vec::with_capacity(text.len());
        redactor.push(text, &mut out);
        redactor.finish(&mut out);
        (out != text).then_some(out)
    }

    /// Advances every match by one byte, and begins new ones.
    fn step(&mut self, byte: u8) {
        let start = self.offset + self.held.len() as u64;
        self.held.push(byte);
        self.next.clear();
        let begun = &self.forms.begins[usize::from(byte)];
        let new = begun.iter().map(|&form| Match {
            form,
            index: 0,
            escape: Escape::None,
            start,
        });
        // The earliest of all that end here.
        let mut found = None;
        for from in self.matches.drain(..).chain(new) {
            self.forms.advance(from, byte, |to| match to {
                Some(to) => self.next.push(to),
                None => found = Some(found.unwrap_or(from.start).min(from.start)),
            });
        }
        if let Some(found) = found {
            let from = usize::try_from(found - self.offset).unwrap_or(0);
            self.held[from..].fill(MASK);
        }
        if self.next.len() > self.crowd {
            self.next.sort_unstable();
            self.next.dedup_by_key(|to| (to.form, to.index, to.escape));
            self.crowd = (2 * self.next.len()).max(FEW);
        }
        std::mem::swap(&mut self.matches, &mut self.next);
    }

    /// Writes the bytes before the earliest match.
    fn release(&mut self, out: &mut Vec<u8>) {
        let earliest = self.matches.iter().map(|found| found.start).min();
        let count = match earliest {
            Some(earliest) => usize::try_from(earliest - self.offset).unwrap_or(0),
            None => self.held.len(),
        };
        out.extend_from_slice(&self.held[..count]);
        let kept = self.held.len() - count;
        self.held.copy_within(count.., 0);
        self.held[kept..].zeroize();
        self.held.truncate(kept);
        self.offset += count as u64;
    }
}

/// The beginning of a form that was found at the end of the stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    form: u16,
    /// The number of its characters that were found.
    index: u16,
    escape: Escape,
    /// The offset of its first byte in the stream.
    start: u64,
}

/// The bytes found of an encoded character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Escape {
    None,
    Percent,
    PercentHigh,
    Backslash,
    U,
    U0,
    U00,
    U00High,
}

/// The texts to be found.
struct Forms {
    texts: Vec<Zeroizing<Vec<u8>>>,
    /// By byte: the texts that may begin with it.
    begins: [Vec<u16>; 256],
    /// By two bytes: whether a text may begin with both. A bit each.
    pairs: Vec<u64>,
    /// The longest text, encoded.
    longest: usize,
}

impl Forms {
    fn new<'a>(keys: impl IntoIterator<Item = &'a ApiKey>) -> Self {
        let mut texts: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for key in keys {
            let key = key.expose().as_bytes();
            let base64 = (0..3).flat_map(|before| {
                [STANDARD, URL_SAFE].map(|alphabet| base64(key, before, alphabet))
            });
            let base64 = base64.filter(|text| text.len() >= SHORTEST_BASE64);
            for text in std::iter::once(Zeroizing::new(key.to_vec())).chain(base64) {
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let mut forms = Self {
            texts,
            begins: [const { Vec::new() }; 256],
            pairs: vec![0; 65_536 / 64],
            longest: longest * r"\u0000".len(),
        };
        for first in 0..=u8::MAX {
            for form in (0..forms.texts.len()).map_while(|form| u16::try_from(form).ok()) {
                forms.note_beginning(first, form);
            }
        }
        forms
    }

    fn note_beginning(&mut self, first: u8, form: u16) {
        let begin = Match {
            form,
            index: 0,
            escape: Escape::None,
            start: 0,
        };
        let mut begun = Vec::new();
        self.advance(begin, first, |to| begun.push(to));
        if !begun.is_empty() {
            self.begins[usize::from(first)].push(form);
        }
        for to in begun {
            for second in 0..=u8::MAX {
                // A text of one character is found with any second byte.
                let mut goes_on = to.is_none();
                if let Some(to) = to {
                    self.advance(to, second, |_| goes_on = true);
                }
                if goes_on {
                    let (word, bit) = pair(first, second);
                    self.pairs[word] |= bit;
                }
            }
        }
    }

    /// Returns how many characters of a text a program may see of a key that comes in parts.
    fn half(&self, form: u16) -> u16 {
        /// The beginning of a short key may be an ordinary word.
        const LEAST: usize = 8;

        let half = self.texts[usize::from(form)].len() / 2;
        u16::try_from(half.max(LEAST)).unwrap_or(u16::MAX)
    }

    /// Returns the number of leading bytes at which no text begins.
    fn quiet(&self, bytes: &[u8]) -> usize {
        let mut from = 0;
        while let Some(found) = bytes[from..]
            .iter()
            .position(|&byte| !self.begins[usize::from(byte)].is_empty())
        {
            let at = from + found;
            let Some(&second) = bytes.get(at + 1) else {
                return at;
            };
            let (word, bit) = pair(bytes[at], second);
            if self.pairs[word] & bit != 0 {
                return at;
            }
            from = at + 1;
        }
        bytes.len()
    }

    /// Calls `next` with each match that goes on with this byte, and with `None` at a text's end.
    ///
    /// Keys are visible ASCII, so the high byte of a JSON escape is zero.
    fn advance(&self, from: Match, byte: u8, mut next: impl FnMut(Option<Match>)) {
        let text = &self.texts[usize::from(from.form)];
        let character = text[usize::from(from.index)];
        let mut to = |index: u16, escape: Escape| {
            let ends = usize::from(index) == text.len();
            next((!ends).then_some(Match {
                index,
                escape,
                ..from
            }));
        };
        let is_high = hex(byte) == Some(character >> 4);
        let is_low = hex(byte) == Some(character & 15);
        match (from.escape, byte) {
            (Escape::None, _) => {
                if byte == character {
                    to(from.index + 1, Escape::None);
                }
                match byte {
                    b'%' => to(from.index, Escape::Percent),
                    b'\\' => to(from.index, Escape::Backslash),
                    _ => {}
                }
            }
            (Escape::Percent, _) if is_high => to(from.index, Escape::PercentHigh),
            (Escape::Backslash, b'/' | b'"' | b'\\') if byte == character => {
                to(from.index + 1, Escape::None);
            }
            (Escape::Backslash, b'u') => to(from.index, Escape::U),
            (Escape::U, b'0') => to(from.index, Escape::U0),
            (Escape::U0, b'0') => to(from.index, Escape::U00),
            (Escape::U00, _) if is_high => to(from.index, Escape::U00High),
            (Escape::PercentHigh | Escape::U00High, _) if is_low => {
                to(from.index + 1, Escape::None);
            }
            _ => {}
        }
    }
}

fn pair(first: u8, second: u8) -> (usize, u64) {
    let index = usize::from(first) << 8 | usize::from(second);
    (index / 64, 1 << (index % 64))
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Returns the base64 of a key that follows `before` other bytes: the characters that the key alone
/// decides.
fn base64(key: &[u8], before: usize, alphabet: &[u8; 64]) -> Zeroizing<Vec<u8>> {
    let bit = |index: usize| {
        let index = index - 8 * before;
        key[index / 8] >> (7 - index % 8) & 1
    };
    let first = (8 * before).div_ceil(6);
    let end = 8 * (before + key.len()) / 6;
    let sextet = |index: usize| (6 * index..6 * index + 6).fold(0, |bits, at| bits << 1 | bit(at));
    let text = (first..end).map(|index| alphabet[usize::from(sextet(index))]);
    Zeroizing::new(text.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8";
    const ODD: &str = r#"a%25/b\"c\\%2F%41u0041"#;

    fn key(text: &str) -> ApiKey {
        text.parse().unwrap()
    }

    /// Redacts a stream that comes in chunks that end at `cuts`.
    fn redact(of: &str, text: &[u8], cuts: &[usize]) -> Vec<u8> {
        let mut redactor = Redactor::new(&key(of));
        let mut out = Vec::new();
        let mut from = 0;
        for &cut in cuts {
            let cut = cut.clamp(from, text.len());
            redactor.push(&text[from..cut], &mut out);
            from = cut;
        }
        redactor.push(&text[from..], &mut out);
        redactor.finish(&mut out);
        out
    }

    fn redact_text(of: &str, text: &str) -> String {
        String::from_utf8(redact(of, text.as_bytes(), &[])).unwrap()
    }

    /// Encodes each character in the way that its number names.
    fn encode(text: &str, ways: &[u8]) -> String {
        let ways = ways.iter().cycle();
        text.chars()
            .zip(ways)
            .map(|(character, way)| {
                let code = u32::from(character);
                match (way, character) {
                    (1, _) => format!("%{code:02X}"),
                    (2, _) => format!("%{code:02x}"),
                    (3, _) => format!("\\u{code:04X}"),
                    (4, _) => format!("\\u{code:04x}"),
                    (5, '/' | '"' | '\\') => format!("\\{character}"),
                    _ => character.to_string(),
                }
            })
            .collect()
    }

    /// Returns base64 as every encoder writes it, with other bytes around it.
    fn encode_base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
        let text = bytes.chunks(3).flat_map(|chunk| {
            let bits = chunk
                .iter()
                .chain([&0, &0])
                .take(3)
                .fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte));
            let count = chunk.len() + 1;
            (0..count).map(move |at| char::from(alphabet[(bits >> (18 - 6 * at)) as usize & 63]))
        });
        text.collect()
    }

    #[test]
    fn every_encoding_is_masked() {
        for of in [KEY, ODD] {
            for way in 0..=5 {
                let encoded = encode(of, &[way]);
                let text = format!("{{\"key\":\"{encoded}\",\"n\":1}}");
                let masked = text.replace(&encoded, &"*".repeat(encoded.len()));
                assert_eq!(redact_text(of, &text), masked);
            }
        }
    }

    #[test]
    fn base64_is_masked_at_any_offset() {
        for alphabet in [STANDARD, URL_SAFE] {
            for of in [KEY, "???>>>~~~???>>>~~~"] {
                for before in ["", "u", "us", "use", "user:"] {
                    let encoded = encode_base64(format!("{before}{of}:after").as_bytes(), alphabet);
                    let masked = redact_text(of, &encoded);
                    let core = base64(of.as_bytes(), before.len() % 3, alphabet);
                    let core = std::str::from_utf8(&core).unwrap();
                    assert!(encoded.contains(core), "{encoded} {core}");
                    assert_eq!(masked, encoded.replace(core, &"*".repeat(core.len())));
                }
            }
        }
        // JSON and forms escape some characters of base64.
        let of = "???>>>~~~???>>>~~~";
        let encoded = encode_base64(of.as_bytes(), STANDARD);
        let core = base64(of.as_bytes(), 0, STANDARD).len();
        assert_eq!(core, encoded.len());
        for escaped in [
            encoded.replace('/', "\\/"),
            encoded.replace('/', "%2F").replace('+', "%2b"),
        ] {
            assert_eq!(redact_text(of, &escaped), "*".repeat(escaped.len()));
        }
    }

    #[test]
    fn overlapping_occurrences_are_masked() {
        assert_eq!(redact_text("abab", "xabababx"), "x******x");
        assert_eq!(redact_text("aabc", "%aabc"), "%****");
        assert_eq!(redact_text("11", "%31%31"), "******");
        assert_eq!(redact_text("A", r"\\u0041"), r"\******");
        assert_eq!(redact_text("x", "xxayx%78"), "**ay****");
    }

    #[test]
    fn only_beginnings_are_held_back() {
        let mut redactor = Redactor::new(&key(KEY));
        for (pushed, written) in [
            ("data: 1\n\n", "data: 1\n\n"),
            ("data: ntro_prod_", "data: "),
            ("other\n\n", "ntro_prod_other\n\n"),
            ("%", ""),
            ("6", ""),
            ("F", "%6F"),
            ("\\u00", ""),
            ("41", "\\u0041"),
            ("ntro_ntro_", "ntro_"),
            (&KEY[5..KEY.len() - 1], ""),
            ("8\n", &format!("{}\n", "*".repeat(KEY.len()))),
        ] {
            let mut out = Vec::new();
            redactor.push(pushed.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), written, "{pushed}");
        }
    }

    /// Redacts an event stream.
    fn redact_events(of: &str, text: &str) -> String {
        let mut redactor = Redactor::new(&key(of)).for_event_stream();
        let mut out = Vec::new();
        redactor.push(text.as_bytes(), &mut out);
        redactor.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Returns a stream with the parts of a key in separate events, and the same with masks.
    fn split(between: [&str; 3], parts: &[&str], shown: usize) -> (String, String) {
        let [before, middle, after] = between;
        let masks: Vec<String> = parts.iter().map(|part| "*".repeat(part.len())).collect();
        let mut masked: Vec<&str> = masks.iter().map(String::as_str).collect();
        masked[..shown].copy_from_slice(&parts[..shown]);
        [parts, &masked]
            .map(|parts| format!("{before}{}{after}", parts.join(middle)))
            .into()
    }

    #[test]
    fn key_over_events_is_masked() {
        let (first, second) = KEY.split_at(15);
        for between in [
            ["data: ", "\n\ndata: ", "\n\n"],
            ["data:", "\n\ndata:", "\n\n"],
            ["data: ", "\r\n\r\ndata: ", "\r\n\r\n"],
            ["data: ", "\r\rdata: ", "\r\r"],
            ["data: ", "\ndata: ", "\n\n"],
            ["\u{feff}data: ", "\n\ndata: ", ""],
            ["data: key=", "\n\nid: 2\nevent: x\ndata: ", ".\n\n"],
            [
                "data: ",
                "\n\n: ping\n\nevent: ping\ndata: {}\n\ndata: ",
                "\n\n",
            ],
            [
                "data: {\"type\":\"delta\",\"delta\":\"",
                "\"}\n\ndata: {\"type\":\"delta\",\"delta\":\"",
                "\"}\n\n",
            ],
            [
                "data: {\"delta\":\"the key is ",
                "\"}\n\nevent: delta\ndata: {\"n\":1,\ndata: \"delta\":\"",
                " and\"}\n\n",
            ],
        ] {
            let (text, masked) = split(between, &[first, second], 1);
            assert_eq!(redact_events(KEY, &text), masked);
            // The other redactor knows no events.
            assert_eq!(redact_text(KEY, &text), text);
        }
    }

    #[test]
    fn second_half_is_masked_in_any_parts() {
        for between in [
            ["data: ", "\n\ndata: ", "\n\n"],
            [
                "data: {\"delta\":\"",
                "\"}\n\ndata: {\"delta\":\"",
                "\"}\n\n",
            ],
        ] {
            let half = KEY.len() / 2;
            let letters: Vec<&str> = KEY.split("").filter(|text| !text.is_empty()).collect();
            let (text, masked) = split(between, &letters, half);
            assert_eq!(redact_events(KEY, &text), masked);
            for at in 1..KEY.len() {
                let parts = [&KEY[..at], &KEY[at..]];
                let (text, masked) = split(between, &parts, usize::from(at <= half));
                assert_eq!(redact_events(KEY, &text), masked);
            }
            // The rest may not come, or comes unfinished.
            let (text, masked) = split(between, &[&KEY[..half + 1]], 0);
            assert_eq!(redact_events(KEY, &text), masked);
            let (text, masked) = split(between, &[&KEY[..9], &KEY[9..half + 1]], 1);
            assert_eq!(redact_events(KEY, &text), masked);
        }
    }

    #[test]
    fn encoded_key_over_events_is_masked() {
        let between = ["data: {\"d\":\"", "\"}\n\ndata: {\"d\":\"", "\"}\n\n"];
        let base64 = encode_base64(KEY.as_bytes(), STANDARD);
        for (encoded, at) in [
            (encode(KEY, &[4]), 60),
            (encode(KEY, &[0, 1]), 20),
            (base64, 20),
        ] {
            let (text, masked) = split(between, &[&encoded[..at], &encoded[at..]], 1);
            assert_eq!(redact_events(KEY, &text), masked);
        }
    }

    #[test]
    fn other_events_stay() {
        let (first, second) = KEY.split_at(15);
        for text in [
            // The order is another.
            format!("data: {second}\n\ndata: {first}\n\n"),
            // Other text follows.
            format!("data: {first}.\n\ndata: {second}\n\n"),
            format!("data: {first}\n\ndata: .{second}\n\n"),
            format!("data: {first}\n\nid: {second}\n\n"),
            // It is too late.
            format!(
                "data: {first}\n\n{}data: {second}\n\n",
                "data: x\n\n".repeat(9)
            ),
            format!("data: {{\"prefix\":\"{}\"}}\n\n", &KEY[..KEY.len() / 2]),
            "data: n\n\n".repeat(100),
        ] {
            assert_eq!(redact_events(KEY, &text), text);
        }
    }

    #[test]
    fn events_are_not_held_back() {
        let mut redactor = Redactor::new(&key(KEY)).for_event_stream();
        for event in [
            "data: n\n\n",
            "data: ntro_prod_\n\n",
            "data: {\"delta\":\"ntro_prod_k9\"}\r\n\r\n",
            "data: Z\r\r",
            ": ping\n\n",
        ] {
            let mut out = Vec::new();
            redactor.push(event.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), event);
        }
    }

    #[test]
    fn several_keys_are_masked() {
        let keys = [key(KEY), key("ont_live_0123456789abcdef")];
        let redactor = Redactor::of_keys(&keys);
        let text = format!("{KEY},ont_live_0123456789abcdef.");
        let masked = format!("{},{}.", "*".repeat(KEY.len()), "*".repeat(25));
        assert_eq!(redactor.redact(text.as_bytes()).unwrap(), masked.as_bytes());
        assert_eq!(redactor.redact(b"ntro_prod_ ont_live_"), None);
    }

    #[test]
    fn every_key_is_masked() {
        let keys: Vec<_> = (0..40).map(|n| key(&format!("{KEY}{n:02}"))).collect();
        let redactor = Redactor::of_keys(&keys);
        for key in &keys {
            let masked = redactor.redact(key.expose().as_bytes()).unwrap();
            assert_eq!(masked, "*".repeat(KEY.len() + 2).as_bytes());
        }
    }

    #[test]
    fn repetitive_keys_need_bounded_memory() {
        let of = key(&"a%".repeat(150));
        let mut redactor = Redactor::new(&of);
        let mut out = Vec::new();
        redactor.push(&b"a%25".repeat(1_000), &mut out);
        assert!(redactor.held.len() <= 2 * redactor.forms.longest);
        assert!(redactor.matches.len() <= 8 * redactor.forms.longest);
        redactor.finish(&mut out);
        assert_eq!(out.len(), 4_000);
        assert!(out.iter().all(|&byte| byte == MASK));
    }

    proptest! {
        #[test]
        fn splits_give_same_output(
            of in prop_oneof![Just(KEY.to_owned()), Just(ODD.to_owned()), "[ab%1\\\\/]{1,6}"],
            parts in prop::collection::vec(
                (prop::collection::vec(0..=5_u8, 1..6), "[ab%1\\\\/u0n_]{0,6}", any::<bool>()),
                0..6,
            ),
            cuts in prop::collection::vec(0..200_usize, 0..12),
        ) {
            let mut text = String::new();
            for (ways, between, is_whole) in &parts {
                let encoded = encode(&of, ways);
                let end = if *is_whole { encoded.len() } else { encoded.len() / 2 };
                text.push_str(&encoded[..end]);
                text.push_str(between);
            }
            let whole = redact(&of, text.as_bytes(), &[]);
            prop_assert_eq!(whole.len(), text.len());
            for (masked, original) in whole.iter().zip(text.bytes()) {
                prop_assert!(*masked == MASK || *masked == original);
            }
            let mut cuts = cuts;
            cuts.sort_unstable();
            prop_assert_eq!(&redact(&of, text.as_bytes(), &cuts), &whole);
            let every: Vec<usize> = (0..text.len()).collect();
            prop_assert_eq!(&redact(&of, text.as_bytes(), &every), &whole);
            // Each whole key is masked, in whatever encoding.
            let mut at = 0;
            for (ways, between, is_whole) in &parts {
                let encoded = encode(&of, ways);
                let end = if *is_whole { encoded.len() } else { encoded.len() / 2 };
                if *is_whole {
                    prop_assert!(whole[at..at + end].iter().all(|&byte| byte == MASK));
                }
                at += end + between.len();
            }
        }

        #[test]
        fn events_give_same_output_in_any_chunks(
            parts in prop::collection::vec((0..KEY.len(), 0..KEY.len(), 0..4_usize), 0..12),
            cuts in prop::collection::vec(0..400_usize, 0..12),
        ) {
            let text: String = parts
                .iter()
                .map(|&(from, to, border)| {
                    let border = ["\n\ndata: ", "\"}\r\n\r\ndata: {\"", "\ndata:", "\nid:"][border];
                    format!("{border}{}", KEY.get(from..to).unwrap_or_default())
                })
                .collect();
            let whole = redact_events(KEY, &text);
            prop_assert_eq!(whole.len(), text.len());
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut redactor = Redactor::new(&key(KEY)).for_event_stream();
            let (mut out, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([text.len()]) {
                let cut = cut.clamp(from, text.len());
                redactor.push(&text.as_bytes()[from..cut], &mut out);
                from = cut;
            }
            redactor.finish(&mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), whole);
        }

        #[test]
        fn other_text_stays(text in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut redactor = Redactor::new(&key(KEY));
            let mut out = Vec::new();
            if redactor.passes(&text) {
                out.extend_from_slice(&text);
            } else {
                redactor.push(&text, &mut out);
            }
            redactor.finish(&mut out);
            prop_assert_eq!(out, text);
        }
    }
}

//! Where everything stands in the text of a TOML document.

use std::borrow::Cow;
use std::ops::Range;

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The statements of a valid document, with their spans. Holds the names of keys, and no value.
#[derive(Debug)]
pub(super) struct Index {
    /// The pairs before the first header.
    pub(super) root: Vec<Pair>,
    pub(super) sections: Vec<Section>,
}

/// A `[header]` and the pairs below it.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) keys: Vec<Key>,
    pub(super) is_array: bool,
    pub(super) header: Lines,
    pub(super) pairs: Vec<Pair>,
}

/// `key = value`, in a section or in an inline table.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) keys: Vec<Key>,
    pub(super) value: Range<usize>,
    /// The pairs of an inline table.
    pub(super) inline: Option<Vec<Pair>>,
    /// The position of the comma behind it, in an inline table.
    pub(super) comma: Option<usize>,
    pub(super) lines: Lines,
}

/// One part of a dotted key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

/// The whole lines of a statement.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    /// The end of the statement above. Only blank lines and comments stand between it and `start`.
    pub(super) floor: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A statement that defines a table or a value, or a part of it.
pub(super) enum Hit<'i> {
    /// The section of the table, or of a table in it.
    Section(&'i Section),
    Pair(PairHit<'i>),
}

pub(super) struct PairHit<'i> {
    pub(super) pair: &'i Pair,
    /// The pairs of its table, if that is an inline one.
    pub(super) siblings: Option<&'i [Pair]>,
    /// How many of the pair's keys lead to the table or value.
    pub(super) depth: usize,
}

impl PairHit<'_> {
    /// Returns whether the pair defines the table or value itself, and not something in it.
    pub(super) fn is_exact(&self) -> bool {
        self.pair.keys.len() == self.depth
    }
}

impl Index {
    /// Indexes a document that is known to be valid.
    pub(super) fn of(text: &str) -> Self {
        let source = Source::new(text);
        let tokens = source.lex().into_vec();
        let mut events = Vec::with_capacity(tokens.len());
        parse_document(&tokens, &mut events, &mut ());
        let mut reader = Reader {
            source,
            events: &events,
            floor: head(text),
        };
        let mut index = Self {
            root: Vec::new(),
            sections: Vec::new(),
        };
        while let Some(event) = reader.events.first() {
            match event.kind() {
                EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                    index.sections.push(reader.section());
                }
                EventKind::SimpleKey => {
                    let mut pair = reader.pair();
                    pair.lines = reader.lines(pair.keys[0].span.start, pair.value.end);
                    let pairs = match index.sections.last_mut() {
                        Some(section) => &mut section.pairs,
                        None => &mut index.root,
                    };
                    pairs.push(pair);
                }
                _ => _ = reader.next(),
            }
        }
        index
    }

    /// Returns every statement that defines the table or value at `path`, or a part of it.
    pub(super) fn find(&self, path: &[&str]) -> Vec<Hit<'_>> {
        let mut hits = Vec::new();
        find(&self.root, None, path, &mut hits);
        for section in &self.sections {
            if !agree(&section.keys, path) {
                continue;
            }
            match path.get(section.keys.len()..) {
                Some(rest) if !rest.is_empty() => find(&section.pairs, None, rest, &mut hits),
                _ => hits.push(Hit::Section(section)),
            }
        }
        hits
    }
}

fn find<'i>(
    pairs: &'i [Pair],
    siblings: Option<&'i [Pair]>,
    path: &[&str],
    hits: &mut Vec<Hit<'i>>,
) {
    for pair in pairs.iter().filter(|pair| agree(&pair.keys, path)) {
        match (path.get(pair.keys.len()..), &pair.inline) {
            (Some(rest), Some(inline)) if !rest.is_empty() => {
                find(inline, Some(inline), rest, hits);
            }
            // A plain value on the way: there is nothing below it.
            (Some(rest), None) if !rest.is_empty() => {}
            _ => hits.push(Hit::Pair(PairHit {
                pair,
                siblings,
                depth: path.len(),
            })),
        }
    }
}

/// Returns whether one is the beginning of the other.
fn agree(keys: &[Key], path: &[&str]) -> bool {
    keys.iter().zip(path).all(|(key, name)| key.name == *name)
}

/// Returns the end of the byte order mark and of the directives for editors (`#:schema …`) below it,
/// which belong to the file whatever they touch.
fn head(text: &str) -> usize {
    let mut head = match text.starts_with(BYTE_ORDER_MARK) {
        true => BYTE_ORDER_MARK.len_utf8(),
        false => 0,
    };
    for line in text[head..].split_inclusive('\n') {
        if !line.starts_with("#:") {
            break;
        }
        head += line.len();
    }
    head
}

struct Reader<'t> {
    source: Source<'t>,
    events: &'t [Event],
    /// The end of the last statement.
    floor: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Event> {
        let (first, rest) = self.events.split_first()?;
        self.events = rest;
        Some(*first)
    }

    fn section(&mut self) -> Section {
        let (start, is_array) = match self.next() {
            Some(open) => (
                open.span().start(),
                open.kind() == EventKind::ArrayTableOpen,
            ),
            None => (self.floor, false),
        };
        let (keys, end) = self.keys();
        Section {
            keys,
            is_array,
            header: self.lines(start, end),
            pairs: Vec::new(),
        }
    }

    fn pair(&mut self) -> Pair {
        let (keys, _) = self.keys();
        let (value, inline) = self.value();
        Pair {
            keys,
            value,
            inline,
            comma: None,
            lines: Lines::default(),
        }
    }

    /// Reads a dotted key, and what ends it: `=`, `]` or `]]`.
    fn keys(&mut self) -> (Vec<Key>, usize) {
        let mut keys = Vec::new();
        while let Some(event) = self.next() {
            match event.kind() {
                EventKind::SimpleKey => keys.push(self.key(event)),
                EventKind::KeySep | EventKind::Whitespace => {}
                _ => return (keys, event.span().end()),
            }
        }
        (keys, self.floor)
    }

    fn key(&self, event: Event) -> Key {
        let mut name = Cow::default();
        if let Some(raw) = self.source.get(event) {
            raw.decode_key(&mut name, &mut ());
        }
        Key {
            name: name.into_owned(),
            span: range(event),
        }
    }

    fn value(&mut self) -> (Range<usize>, Option<Vec<Pair>>) {
        while let Some(event) = self.next() {
            let start = event.span().start();
            match event.kind() {
                EventKind::Scalar => return (range(event), None),
                EventKind::ArrayOpen => return (start..self.array_end(), None),
                EventKind::InlineTableOpen => {
                    let (pairs, end) = self.inline_table();
                    return (start..end, Some(pairs));
                }
                _ => {}
            }
        }
        (self.floor..self.floor, None)
    }

    fn array_end(&mut self) -> usize {
        let mut depth = 1;
        while let Some(event) = self.next() {
            match event.kind() {
                EventKind::ArrayOpen => depth += 1,
                EventKind::ArrayClose => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return event.span().end();
            }
        }
        self.floor
    }

    fn inline_table(&mut self) -> (Vec<Pair>, usize) {
        let mut pairs: Vec<Pair> = Vec::new();
        while let Some(event) = self.events.first().copied() {
            match event.kind() {
                EventKind::SimpleKey => {
                    pairs.push(self.pair());
                    continue;
                }
                EventKind::ValueSep => {
                    if let Some(pair) = pairs.last_mut() {
                        pair.comma = Some(event.span().start());
                    }
                }
                EventKind::InlineTableClose => {
                    self.next();
                    return (pairs, event.span().end());
                }
                _ => {}
            }
            self.next();
        }
        (pairs, self.floor)
    }

    /// Returns the lines of a statement, and remembers where it ends.
    fn lines(&mut self, start: usize, end: usize) -> Lines {
        let text = self.source.input();
        let above = text[self.floor..start].rfind('\n');
        let lines = Lines {
            floor: self.floor,
            start: above.map_or(self.floor, |newline| self.floor + newline + 1),
            end: line_end(text, end),
        };
        self.floor = lines.end;
        lines
    }
}

fn range(event: Event) -> Range<usize> {
    event.span().start()..event.span().end()
}

/// Returns the end of the line at `position`, with its line break.
pub(super) fn line_end(text: &str, position: usize) -> usize {
    let newline = text[position..].find('\n');
    newline.map_or(text.len(), |newline| position + newline + 1)
}

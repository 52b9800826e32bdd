//! Where a change goes in the text: lines, blank lines, comments and line breaks.

use std::ops::Range;

use zeroize::Zeroizing;

use super::index::{Hit, Index, Lines, Pair, Section, line_end};
use super::{CONNECTIONS, Value, value};

/// The text that replaces a part of the document.
pub(super) struct Splice {
    span: Range<usize>,
    text: Zeroizing<String>,
}

impl Splice {
    pub(super) fn new(span: Range<usize>, text: Zeroizing<String>) -> Self {
        Self { span, text }
    }

    pub(super) fn insert(at: usize, text: &str) -> Self {
        Self::new(at..at, text.to_owned().into())
    }

    fn remove(span: Range<usize>) -> Self {
        Self::new(span, Zeroizing::default())
    }
}

/// Returns the text with all splices applied. They must not overlap.
pub(super) fn spliced(text: &str, mut splices: Vec<Splice>) -> Zeroizing<String> {
    splices.sort_by_key(|splice| splice.span.start);
    // Allocated in full: a growing buffer leaves copies behind.
    let added: usize = splices.iter().map(|splice| splice.text.len()).sum();
    let mut edited = Zeroizing::new(String::with_capacity(text.len() + added));
    let mut position = 0;
    for splice in splices {
        edited.push_str(&text[position..splice.span.start]);
        edited.push_str(&splice.text);
        position = splice.span.end;
    }
    edited.push_str(&text[position..]);
    edited
}

/// Returns `key = value`.
pub(super) fn entry(key: &str, value: &Value) -> Zeroizing<String> {
    format!("{} = {}", *value::key(key), *value.literal()).into()
}

/// Inserts a line below the line that ends at `at`.
pub(super) fn line_at(text: &str, at: usize, line: &str) -> Splice {
    let end = line_break(text, at);
    let open = if is_open(text, at) { end } else { "" };
    Splice::insert(at, &format!("{open}{line}{end}"))
}

/// Inserts the first statement: below the comments at the head of the file, and above the comment
/// that belongs to the first header.
pub(super) fn first_line(text: &str, index: &Index, line: &str) -> Splice {
    let first = index.sections.first();
    let at = first.map_or(text.len(), |section| block(text, section.header).start);
    let end = line_break(text, at);
    let below = if at < text.len() { end } else { "" };
    let above = gap_above(text, at);
    Splice::insert(at, &format!("{above}{line}{end}{below}"))
}

/// Inserts a new connection at the end of a section.
pub(super) fn section_after(text: &str, at: usize, name: &str, entry: &str) -> Splice {
    let header = header(name);
    let end = line_break(text, at);
    let above = gap_above(text, at);
    Splice::insert(at, &format!("{above}{header}{end}{entry}{end}"))
}

/// Inserts the header of a connection above that of a table in it.
pub(super) fn section_before(text: &str, at: usize, name: &str, entry: &str) -> Splice {
    let header = header(name);
    let end = line_break(text, at);
    Splice::insert(at, &format!("{header}{end}{entry}{end}{end}"))
}

fn header(name: &str) -> String {
    format!("[{CONNECTIONS}.{}]", *value::key(name))
}

/// Inserts a pair at the end of an inline table.
pub(super) fn inside(text: &str, table: &Pair, entry: &str) -> Splice {
    let pairs = table.inline.as_deref().unwrap_or_default();
    if let Some(last) = pairs.last() {
        return Splice::insert(last.value.end, &format!(", {entry}"));
    }
    let at = table.value.start + 1;
    let space = match text[at..].starts_with(char::is_whitespace) {
        true => "",
        false => " ",
    };
    Splice::insert(at, &format!(" {entry}{space}"))
}

/// Returns the end of a section, or of the file, without the comments that belong to what follows.
pub(super) fn end_of(text: &str, index: &Index, section: Option<&Section>) -> usize {
    let section = section.or(index.sections.last());
    let start = match (section, index.root.last()) {
        (Some(section), _) => section_lines(section).end,
        (None, Some(pair)) => pair.lines.end,
        (None, None) => return text.len(),
    };
    let mut end = start;
    for line in text[start..].split_inclusive('\n') {
        if is_comment(line) {
            end += line.len();
        } else if is_blank(line) {
            return end;
        } else {
            // They touch the next header.
            return start;
        }
    }
    end
}

/// Removes whole statements, with the comments that belong to them.
pub(super) fn removal(text: &str, hits: &[Hit<'_>]) -> Vec<Splice> {
    let mut blocks: Vec<(usize, Range<usize>)> = Vec::new();
    for hit in hits {
        let lines = match hit {
            Hit::Section(section) => section_lines(section),
            Hit::Pair(hit) => hit.pair.lines,
        };
        let block = block(text, lines);
        match blocks.last_mut() {
            Some((_, last)) if is_blank(&text[last.end..block.start]) => last.end = block.end,
            _ => blocks.push((lines.floor, block)),
        }
    }
    let cut = |(floor, block)| Splice::remove(with_gap(text, floor, block));
    blocks.into_iter().map(cut).collect()
}

/// Removes a pair from an inline table.
pub(super) fn removal_inside(text: &str, pair: &Pair, siblings: &[Pair]) -> Vec<Splice> {
    let start = pair.keys[0].span.start;
    let spaces = |at: usize| {
        let rest = text[at..].trim_start_matches([' ', '\t']);
        text.len() - rest.len()
    };
    if let Some(comma) = pair.comma {
        return vec![Splice::remove(start..spaces(comma + 1))];
    }
    let position = siblings.iter().position(|other| std::ptr::eq(other, pair));
    let before = position.and_then(|position| siblings.get(position.checked_sub(1)?));
    match before.and_then(|before| before.comma) {
        None => vec![Splice::remove(start..spaces(pair.value.end))],
        Some(comma) if is_blank(&text[comma + 1..start]) => {
            vec![Splice::remove(comma..pair.value.end)]
        }
        Some(comma) => vec![
            Splice::remove(comma..comma + 1),
            Splice::remove(start..pair.value.end),
        ],
    }
}

/// Returns a statement with the comment that touches it.
pub(super) fn block(text: &str, lines: Lines) -> Range<usize> {
    let above = text[lines.floor..lines.start].split_inclusive('\n').rev();
    let comment: usize = above
        .take_while(|line| is_comment(line))
        .map(str::len)
        .sum();
    lines.start - comment..lines.end
}

fn section_lines(section: &Section) -> Lines {
    let last = section.pairs.last();
    Lines {
        end: last.map_or(section.header.end, |pair| pair.lines.end),
        ..section.header
    }
}

/// Adds the blank lines on one side of a block that is removed, so that those on the other side
/// remain. A comment above must not touch what follows.
fn with_gap(text: &str, floor: usize, block: Range<usize>) -> Range<usize> {
    let blank = |lines: &mut dyn Iterator<Item = &str>| -> usize {
        lines.take_while(|line| is_blank(line)).map(str::len).sum()
    };
    let above = blank(&mut text[floor..block.start].split_inclusive('\n').rev());
    let below = blank(&mut text[block.end..].split_inclusive('\n'));
    let start = block.start - above;
    let is_first = text[..start].trim_start_matches('\u{feff}').is_empty();
    match below > 0 || block.end == text.len() {
        true if is_first => start..block.end + below,
        true => start..block.end,
        false => block,
    }
}

/// Returns the line breaks for a blank line at `at`, unless there is one above or the file begins.
fn gap_above(text: &str, at: usize) -> String {
    let end = line_break(text, at);
    let before = text[..at].trim_start_matches('\u{feff}');
    let last = before.split_inclusive('\n').next_back();
    match last {
        None => String::new(),
        Some(_) if is_open(text, at) => end.repeat(2),
        Some(line) if is_blank(line) => String::new(),
        Some(_) => end.to_owned(),
    }
}

/// Returns whether the line that ends at `at` has no line break.
fn is_open(text: &str, at: usize) -> bool {
    let before = text[..at].trim_start_matches('\u{feff}');
    !before.is_empty() && !before.ends_with('\n')
}

/// Returns the line break of the line that ends at `at`, else that of the first line.
fn line_break(text: &str, at: usize) -> &'static str {
    let before = match text[..at].ends_with('\n') {
        true => &text[..at],
        false => &text[..line_end(text, 0)],
    };
    match before.ends_with("\r\n") {
        true => "\r\n",
        false => "\n",
    }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

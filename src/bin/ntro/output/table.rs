use std::borrow::Cow;

use comfy_table::{ContentArrangement, presets};
use unicode_width::UnicodeWidthStr as _;

use super::{Paint, plain};

/// Number of spaces between two columns.
const GAP: usize = 2;

/// A table without borders that fits the terminal. Its cells are plain text, since colour codes
/// would count as width.
pub(crate) struct Table {
    paint: Paint,
    /// The first row is the head.
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(paint: Paint, head: &[&'static str]) -> Self {
        let head = head.iter().map(|&name| name.to_owned()).collect();
        Self {
            paint,
            rows: vec![head],
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| match plain(&cell) {
            Cow::Borrowed(_) => cell,
            Cow::Owned(plain) => plain,
        });
        self.rows.push(cells.collect());
    }

    pub(crate) fn text(&self) -> String {
        let rendered = match width() {
            Some(width) => fitted(&self.rows, width),
            None => aligned(&self.rows),
        };
        let mut text = String::with_capacity(rendered.len() + 16);
        for (index, line) in rendered.lines().enumerate() {
            let line = line.trim_end();
            match index {
                0 => text.push_str(&self.paint.bold(line)),
                _ => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }
}

/// Wraps cells so that no line is wider than the terminal.
fn fitted(rows: &[Vec<String>], width: u16) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    let mut rows = rows.iter();
    if let Some(head) = rows.next() {
        table.set_header(head);
    }
    for row in rows {
        table.add_row(row);
    }
    let lines = table.lines();
    // Every cell has a space on either side, including the first.
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned() + "\n");
    lines.collect()
}

/// Aligns columns at their natural width. Where no cell wraps, this takes a fifth of the time,
/// which is noticeable with a thousand rows.
fn aligned(rows: &[Vec<String>]) -> String {
    let mut widths = Vec::new();
    for row in rows {
        // An empty column has a width of one.
        widths.resize(row.len().max(widths.len()), 1);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        for (width, cell) in widths.iter().zip(row) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.width() + GAP));
        }
        text.push('\n');
    }
    text
}

/// Returns the width of the terminal on standard output; `None` elsewhere, so that lines are not
/// wrapped.
#[cfg(unix)]
fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// On Windows lines are not wrapped; the console wraps them.
#[cfg(not(unix))]
fn width() -> Option<u16> {
    None
}

/// Returns the height of the terminal on standard output, if it can be redrawn.
#[cfg(unix)]
pub(crate) fn terminal_height() -> Option<usize> {
    use std::io::IsTerminal as _;

    if !std::io::stdout().is_terminal() {
        return None;
    }
    let rows = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| size.ws_row);
    // A terminal of unknown height counts as the smallest common one.
    Some(if rows > 0 { usize::from(rows) } else { 24 })
}

/// Windows consoles are not redrawn: changes are printed as lines.
#[cfg(not(unix))]
pub(crate) fn terminal_height() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_the_same_wherever_it_fits() {
        let cells = |row: &[&str]| row.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>();
        let rows = [
            cells(&["", "NAME", "", "HOST"]),
            cells(&["●", "größe", "", "http://localhost:3000/v1"]),
            cells(&["", "日本", "", "-"]),
        ];
        let ends = |text: String| {
            text.lines()
                .map(|line| line.trim_end().to_owned())
                .collect()
        };
        let (fitted, aligned): (Vec<String>, Vec<String>) =
            (ends(fitted(&rows, 80)), ends(aligned(&rows)));
        assert_eq!(fitted, aligned);
        assert_eq!(aligned[2], "   日本      -");
    }
}

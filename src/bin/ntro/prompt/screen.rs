//! A question on the screen, redrawn without a doubled line whatever its length.

use std::cell::Cell;
use std::io::Write as _;

use super::editor::{Editor, columns};
use crate::output::{Paint, plain};

/// Writes to the terminal. It cannot be reported that nothing can be shown.
pub(super) fn write(text: &str) {
    let mut terminal = std::io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes());
    let _ = terminal.flush();
}

/// A shown question, with the cursor where the answer begins.
pub(super) struct Question {
    /// The columns of its lines above the cursor.
    above: Vec<usize>,
    /// The column of the answer, from 0.
    column: usize,
    /// The column of the cursor.
    cursor: Cell<usize>,
    width: usize,
}

impl Question {
    /// Shows a question from the start of the current row, with `room` columns for the answer behind
    /// it or in the next row.
    pub(super) fn show(text: &str, width: usize, room: usize, paint: Paint) -> Self {
        let mut lines = wrapped(&plain(text), width.saturating_sub(1));
        let column = match lines.last() {
            Some(last) if columns(last) + 1 + room <= width => columns(last) + 1,
            _ => {
                lines.push(">".to_owned());
                2
            }
        };
        let above = lines[..lines.len() - 1].iter().map(|line| columns(line));
        let above = above.collect();
        let lines: Vec<_> = lines.iter().map(|line| paint.bold(line)).collect();
        write(&format!("\r\x1b[J{} ", lines.join("\n")));
        Self {
            above,
            column,
            cursor: column.into(),
            width,
        }
    }

    /// Moves the cursor to the start of the question, on a terminal that is `width` wide now and has
    /// wrapped the lines anew.
    pub(super) fn rewind(&self, width: usize) {
        let width = width.max(1);
        let wrapped = |columns: &usize| 1 + columns.saturating_sub(1) / width;
        match self.above.iter().map(wrapped).sum::<usize>() + self.cursor.get() / width {
            0 => {}
            rows => write(&format!("\x1b[{rows}A")),
        }
    }

    /// Shows the answer in its row.
    pub(super) fn answer(&self, answer: &Editor) {
        let (view, cursor) = answer.view(self.width.saturating_sub(self.column));
        self.cursor.set(self.column + cursor);
        write(&format!(
            "\x1b[{}G\x1b[K{view}\x1b[{}G",
            self.column + 1,
            self.column + cursor + 1
        ));
    }
}

/// Items to choose from, a row each.
pub(super) struct Menu<'a> {
    items: &'a [String],
    /// The first item on the screen.
    first: usize,
    rows: usize,
    width: usize,
    paint: Paint,
}

impl<'a> Menu<'a> {
    /// Leaves room for the question on a screen of `height` rows.
    pub(super) fn new(items: &'a [String], (width, height): (usize, usize), paint: Paint) -> Self {
        Self {
            items,
            first: 0,
            rows: items.len().min(height.saturating_sub(4).max(1)),
            width,
            paint,
        }
    }

    /// Draws the items below the question, and returns to it.
    pub(super) fn draw(&mut self, question: &Question, chosen: usize) {
        let last = chosen + 1;
        self.first = self.first.min(chosen).max(last.saturating_sub(self.rows));
        let shown = self
            .items
            .iter()
            .enumerate()
            .skip(self.first)
            .take(self.rows);
        let mut text = "\x1b[J".to_owned();
        for (index, item) in shown {
            let row = match index == chosen {
                true => self.paint.good(&self.row(">", item)),
                false => self.row(" ", item),
            };
            text.push_str(&format!("\n{row}"));
        }
        text.push_str(&format!("\x1b[{}A\x1b[{}G", self.rows, question.column + 1));
        write(&text);
    }

    fn row(&self, mark: &str, item: &str) -> String {
        let mut row = format!("{mark} {}", plain(item));
        while columns(&row) >= self.width && row.pop().is_some() {}
        row
    }

    /// Replaces the items by the chosen one.
    pub(super) fn close(&self, chosen: usize) {
        write(&format!("\x1b[J\n{}\n", self.row(">", &self.items[chosen])));
    }
}

/// Breaks a text into lines of at most `width` columns, between words where that is possible.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            if columns(&line) + columns(character.encode_utf8(&mut [0; 4])) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_wraps_between_words() {
        assert_eq!(wrapped("API host:", 79), ["API host:"]);
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("日本語 日本", 6), ["日本語", "日本"]);
        assert_eq!(
            wrapped("https://example.test x", 8),
            ["https://", "example.", "test x"]
        );
        assert_eq!(wrapped("", 8), [""]);
    }
}

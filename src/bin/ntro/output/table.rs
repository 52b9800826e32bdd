//! Tables without borders in which a row is one line, and no word is broken.

mod layout;

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr as _;

use super::{Paint, plain};
use layout::Layout;

pub(super) use layout::wrapped;

/// A column: its head, how much it matters, and what to do if it is too wide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    head: &'static str,
    /// Columns of the highest rank are left out first; those of rank 0 never.
    rank: u8,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Shown whole, or left out.
    Words,
    /// Shortened in the middle.
    Id,
    /// Wrapped between words; the last column.
    Prose,
}

impl Column {
    /// A column that is always shown.
    pub(crate) const fn always(head: &'static str) -> Self {
        Self::ranked(head, 0)
    }

    /// A column that is left out on a narrow terminal, those of the highest rank first.
    pub(crate) const fn ranked(head: &'static str, rank: u8) -> Self {
        Self {
            head,
            rank,
            shape: Shape::Words,
        }
    }

    /// A column of ids.
    pub(crate) const fn id(head: &'static str, rank: u8) -> Self {
        Self {
            shape: Shape::Id,
            ..Self::ranked(head, rank)
        }
    }

    /// The last column, of sentences.
    pub(crate) const fn prose(head: &'static str) -> Self {
        Self {
            shape: Shape::Prose,
            ..Self::always(head)
        }
    }
}

/// A table. Its cells are plain text, since colour codes would count as width.
pub(crate) struct Table {
    paint: Paint,
    columns: Vec<Column>,
    /// Whether each cell of a row is part of the table.
    is_shown: Vec<bool>,
    /// The cells of all rows, the head first, each with its width.
    cells: Vec<(Cow<'static, str>, usize)>,
}

impl Table {
    pub(crate) fn new(paint: Paint, columns: &[Column]) -> Self {
        Self::some(paint, columns, &vec![true; columns.len()])
    }

    /// Makes a table of some of the columns.
    pub(crate) fn some(paint: Paint, columns: &[Column], is_shown: &[bool]) -> Self {
        let columns = columns.iter().zip(is_shown).filter(|(_, shown)| **shown);
        let columns: Vec<_> = columns.map(|(column, _)| *column).collect();
        let head = columns.iter().map(|column| sized(column.head.into()));
        Self {
            paint,
            cells: head.collect(),
            columns,
            is_shown: is_shown.to_vec(),
        }
    }

    /// Adds a row, with a cell for each column, also for those that are not part of the table.
    pub(crate) fn row(
        &mut self,
        cells: impl IntoIterator<Item = String, IntoIter: ExactSizeIterator>,
    ) {
        let cells = cells.into_iter();
        debug_assert_eq!(cells.len(), self.is_shown.len());
        let cells = cells.zip(&self.is_shown);
        let cells = cells.filter(|(_, shown)| **shown);
        let cells = cells.map(|(cell, _)| match plain(&cell) {
            Cow::Borrowed(_) => cell,
            Cow::Owned(plain) => plain,
        });
        self.cells.extend(cells.map(|cell| sized(cell.into())));
    }

    pub(crate) fn text(&self) -> String {
        self.fitted(self.paint.width())
    }

    /// Returns the table for a terminal of some width.
    fn fitted(&self, width: Option<usize>) -> String {
        let layout = Layout::new(&self.columns, &self.cells, width);
        let mut text = String::with_capacity(self.cells.len() * 16);
        for (index, row) in self.cells.chunks(self.columns.len()).enumerate() {
            let start = text.len();
            layout.write(&mut text, index, row);
            if index == 0 {
                let head = self.paint.bold(&text[start..]);
                text.replace_range(start.., &head);
            }
            text.push('\n');
        }
        text
    }
}

fn sized(cell: Cow<'static, str>) -> (Cow<'static, str>, usize) {
    let width = match cell.is_ascii() {
        true => cell.len(),
        false => cell.width(),
    };
    (cell, width)
}

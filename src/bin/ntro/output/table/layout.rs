//! The width of each column.

use std::borrow::Cow;
use std::collections::BTreeMap;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{Column, Shape};

/// Number of spaces between two columns.
const GAP: usize = 2;
/// The width of a shortened id: eight characters, `…`, four.
const SHORT_ID: usize = 13;
/// The width that the other columns keep.
const LEAST: usize = 3;
/// Sentences are not put beside the other columns if less room is left.
const LEAST_PROSE: usize = 24;
/// The indentation of sentences below their row.
const INDENT: usize = 4;

type Cell = (Cow<'static, str>, usize);
/// The width of a column and its shortened cells, by row.
type Short = (usize, BTreeMap<usize, String>);

/// The columns that are shown, and how.
pub(super) struct Layout {
    shown: Vec<Placed>,
    prose: Option<Prose>,
}

struct Placed {
    index: usize,
    width: usize,
    /// The shortened cells, by row.
    short: BTreeMap<usize, String>,
}

struct Prose {
    index: usize,
    /// The width of a line and the spaces before it.
    room: usize,
    indent: usize,
    /// Whether it begins on the line of its row.
    is_beside: bool,
}

impl Layout {
    /// Lays a table out, for a terminal of `width` columns if there is one.
    pub(super) fn new(columns: &[Column], cells: &[Cell], width: Option<usize>) -> Self {
        let mut widths = vec![1; columns.len()];
        for row in cells.chunks(columns.len()) {
            for (width, (_, cell)) in widths.iter_mut().zip(row) {
                *width = (*cell).max(*width);
            }
        }
        let is_prose = |index: &usize| columns[*index].shape == Shape::Prose;
        let prose = (0..columns.len()).find(is_prose);
        let shown = (0..columns.len()).filter(|index| !is_prose(index));
        let shown = shown.map(|index| Placed {
            index,
            width: widths[index],
            short: BTreeMap::new(),
        });
        let mut layout = Self {
            shown: shown.collect(),
            prose: None,
        };
        if let Some(width) = width {
            layout.fit(columns, cells, width);
        }
        layout.prose = prose.map(|index| layout.place_prose(index, widths[index], width));
        layout
    }

    /// Makes rows at most `room` wide: leaves columns out and shortens ids, as little as possible.
    fn fit(&mut self, columns: &[Column], cells: &[Cell], room: usize) {
        if self.width() <= room {
            return;
        }
        let is_id = |placed: &Placed| columns[placed.index].shape == Shape::Id;
        let column = |index: usize| cells.iter().skip(index).step_by(columns.len());
        let short = |placed: &Placed| {
            let mut widths = SHORT_ID..placed.width;
            let short = |width| Some((width, shortened(column(placed.index), width)?));
            Some((placed.index, widths.find_map(short)?))
        };
        let ids = self.shown.iter().filter(|placed| is_id(placed));
        let mut shortest: BTreeMap<usize, Short> = ids.filter_map(short).collect();
        let least = |placed: &Placed| {
            let short = shortest.get(&placed.index);
            short.map_or(placed.width, |(width, _)| *width)
        };
        while total(self.shown.iter().map(least)) > room {
            let rank = |placed: &&Placed| columns[placed.index].rank;
            let Some(last) = self.shown.iter().max_by_key(rank) else {
                return;
            };
            let (index, rank) = (last.index, rank(&last));
            if rank == 0 {
                break;
            }
            self.shown.retain(|placed| placed.index != index);
        }
        // Ids first, the widest of them first; then anything.
        while self.width() > room {
            let ids = self.shown.iter_mut();
            let ids = ids.filter(|placed| shortest.contains_key(&placed.index));
            let Some(widest) = ids.max_by_key(|placed| placed.width) else {
                break;
            };
            if let Some((width, short)) = shortest.remove(&widest.index) {
                (widest.width, widest.short) = (width, short);
            }
        }
        loop {
            let over = self.width().saturating_sub(room);
            let others = self.shown.iter_mut();
            let others = others.filter(|placed| !is_id(placed) && placed.width > LEAST);
            let others = others.filter(|placed| placed.short.is_empty());
            let widest = others.max_by_key(|placed| placed.width);
            let Some(widest) = widest.filter(|_| over > 0) else {
                return;
            };
            let width = widest.width.saturating_sub(over).max(LEAST);
            let Some(short) = shortened(column(widest.index), width) else {
                return;
            };
            (widest.width, widest.short) = (width, short);
        }
    }

    /// Returns the width of a row without its prose.
    fn width(&self) -> usize {
        total(self.shown.iter().map(|placed| placed.width))
    }

    fn place_prose(&self, index: usize, natural: usize, width: Option<usize>) -> Prose {
        let used = self.width() + GAP;
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(used));
        match room >= natural.min(LEAST_PROSE) {
            true => Prose {
                index,
                room,
                indent: used,
                is_beside: true,
            },
            false => Prose {
                index,
                room: width.map_or(usize::MAX, |width| width.saturating_sub(INDENT)),
                indent: INDENT,
                is_beside: false,
            },
        }
    }

    /// Writes a row without a line break at its end.
    pub(super) fn write(&self, text: &mut String, row: usize, cells: &[Cell]) {
        let mut pending = 0;
        for placed in &self.shown {
            let (cell, width) = match placed.short.get(&row) {
                Some(short) => (short.as_str(), short.width()),
                None => (&*cells[placed.index].0, cells[placed.index].1),
            };
            if width > 0 {
                text.extend(std::iter::repeat_n(' ', pending));
                text.push_str(cell);
                pending = 0;
            }
            pending += placed.width.saturating_sub(width) + GAP;
        }
        let Some(prose) = &self.prose else { return };
        let (sentence, _) = &cells[prose.index];
        for (index, line) in wrapped(sentence, prose.room).into_iter().enumerate() {
            let spaces = match prose.is_beside && index == 0 {
                true => pending,
                false => {
                    text.push('\n');
                    prose.indent
                }
            };
            text.extend(std::iter::repeat_n(' ', spaces));
            text.push_str(line);
        }
    }
}

fn total(widths: impl Iterator<Item = usize>) -> usize {
    widths
        .map(|width| width + GAP)
        .sum::<usize>()
        .saturating_sub(GAP)
}

/// Shortens the cells of a column that are wider than `width`; `None` if two different ones would
/// become the same wherever they are cut.
fn shortened<'a>(
    column: impl Iterator<Item = &'a Cell> + Clone,
    width: usize,
) -> Option<BTreeMap<usize, String>> {
    let room = width.saturating_sub(1);
    let mut tails = std::iter::once(room / 3).chain(1..room);
    tails.find_map(|tail| cut(column.clone(), width, tail))
}

/// Shortens cells by keeping `tail` columns of their end; `None` if two become the same.
fn cut<'a>(
    column: impl Iterator<Item = &'a Cell>,
    width: usize,
    tail: usize,
) -> Option<BTreeMap<usize, String>> {
    let mut short = BTreeMap::new();
    let mut whole: BTreeMap<String, &str> = BTreeMap::new();
    for (row, (cell, natural)) in column.enumerate() {
        let shown = match *natural > width {
            true => middle_out(cell, width, tail),
            false => cell.to_string(),
        };
        if *natural > width {
            short.insert(row, shown.clone());
        }
        if whole.insert(shown, cell).is_some_and(|other| other != cell) {
            return None;
        }
    }
    Some(short)
}

/// Replaces the middle of a text by `…`, before the last `tail` columns.
fn middle_out(text: &str, width: usize, tail: usize) -> String {
    let taken = |characters: &mut dyn Iterator<Item = char>, room: usize| {
        let mut used = 0;
        let fits = |character: &char| {
            used += character.width().unwrap_or(0);
            used <= room
        };
        characters.take_while(fits).collect::<String>()
    };
    let head = taken(&mut text.chars(), width.saturating_sub(1 + tail));
    let tail = taken(&mut text.chars().rev(), tail);
    let tail: String = tail.chars().rev().collect();
    format!("{head}…{tail}")
}

/// Breaks a text between words into lines of at most `room` columns; a longer word has its own line.
pub(in crate::output) fn wrapped(text: &str, room: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let (mut start, mut end) = (0, 0);
    let breaks = text.match_indices(' ').map(|(at, _)| at);
    for next in breaks.chain([text.len()]) {
        if end > start && text[start..next].width() > room {
            lines.push(&text[start..end]);
            start = end + 1;
        }
        end = next;
    }
    if end > start {
        lines.push(&text[start..end]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::output::{Paint, Table};

    const COLUMNS: [Column; 6] = [
        Column::always(""),
        Column::always("NAME"),
        Column::ranked("HOST", 1),
        Column::ranked("STORE", 2),
        Column::id("ID", 3),
        Column::prose(""),
    ];

    fn table(columns: &[Column], rows: &[&[&str]]) -> Table {
        let mut table = Table::new(Paint::plain(), columns);
        for row in rows {
            table.row(row.iter().map(|&cell| cell.to_owned()));
        }
        table
    }

    fn example() -> Table {
        let id = "3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f";
        let host = "http://localhost:3000/v1";
        let remark = "the server rejected the key: log in again";
        table(
            &COLUMNS,
            &[
                &["●", "größe", host, "keyring", id, ""],
                &["", "日本", "-", "file", "-", remark],
            ],
        )
    }

    #[test]
    fn narrow_table_leaves_columns_out() {
        for (width, expected) in [
            (
                None,
                [
                    "   NAME   HOST                      STORE    ID",
                    "●  größe  http://localhost:3000/v1  keyring  3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f",
                    "   日本   -                         file     -                                     the server rejected the key: log in again",
                ]
                .as_slice(),
            ),
            (
                Some(90),
                &[
                    "   NAME   HOST                      STORE    ID",
                    "●  größe  http://localhost:3000/v1  keyring  3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f",
                    "   日本   -                         file     -",
                    "    the server rejected the key: log in again",
                ],
            ),
            (
                Some(62),
                &[
                    "   NAME   HOST                      STORE    ID",
                    "●  größe  http://localhost:3000/v1  keyring  3f2c8a10…4e5f",
                    "   日本   -                         file     -",
                    "    the server rejected the key: log in again",
                ],
            ),
            (
                Some(60),
                &[
                    "   NAME   HOST                      STORE    ID",
                    "●  größe  http://localhost:3000/v1  keyring  3f2c8a10…4e5f",
                    "   日本   -                         file     -",
                    "    the server rejected the key: log in again",
                ],
            ),
            (
                Some(38),
                &[
                    "   NAME   HOST",
                    "●  größe  http://localhost:3000/v1",
                    "   日本   -",
                    "    the server rejected the key: log",
                    "    in again",
                ],
            ),
        ] {
            let text = example().fitted(width);
            assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{width:?}");
        }
    }

    #[test]
    fn sentence_wraps_beside_its_row() {
        let columns = [Column::always("NAME"), Column::prose("")];
        let rows: [&[&str]; 1] = [&["acme", "the server rejected the key: log in again"]];
        assert_eq!(
            table(&columns, &rows).fitted(Some(32)),
            "NAME\nacme  the server rejected the\n      key: log in again\n"
        );
    }

    #[test]
    fn shortened_cells_stay_different() {
        let columns = [Column::always("NAME"), Column::always("STATUS")];
        let shown = |names: [&str; 2]| table(&columns, &[&[names[0], "ok"], &[names[1], "ok"]]);
        let different = shown(["acme-production-eu-1", "beta-production-us-1"]);
        assert_eq!(
            different.fitted(Some(20)),
            "NAME          STATUS\nacme-pro…u-1  ok\nbeta-pro…s-1  ok\n"
        );
        let alike = shown(["acme-production-eu-west-1", "acme-production-us-west-1"]);
        assert_eq!(
            alike.fitted(Some(20)),
            "NAME          STATUS\nacm…u-west-1  ok\nacm…s-west-1  ok\n"
        );
        let same = shown(["acme-production-eu-1", "acme-production-us-1"]);
        assert!(same.fitted(Some(11)).contains("acme-production-eu-1"));
    }

    #[test]
    fn shortened_ids_keep_other_columns() {
        let columns = [
            Column::always("NAME"),
            Column::id("TENANT", 2),
            Column::ranked("STORE", 1),
        ];
        let shown = |tenants: [&str; 2], width| {
            let rows: [&[&str]; 2] = [&["a", tenants[0], "file"], &["b", tenants[1], "keyring"]];
            table(&columns, &rows).fitted(Some(width))
        };
        let id = "3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f";
        assert_eq!(
            shown([id, "acme"], 40),
            "NAME  TENANT         STORE\na     3f2c8a10…4e5f  file\nb     acme           keyring\n"
        );
        // Wider, where two would look the same.
        let alike = ["customer-0001-of-the-north", "customer-0002-of-the-north"];
        assert_eq!(
            shown(alike, 30),
            "NAME  TENANT           STORE\na     customer-0001…h  file\nb     customer-0002…h  keyring\n"
        );
    }

    proptest! {
        #[test]
        fn row_is_one_line_that_fits(
            names in prop::collection::vec("[a-z日]{1,30}", 1..6),
            ids in prop::collection::vec("[a-z0-9]{0,36}", 6),
            width in 60_usize..140,
        ) {
            let columns = [Column::always("NAME"), Column::ranked("HOST", 1), Column::id("ID", 2)];
            let rows: Vec<_> = names
                .iter()
                .zip(&ids)
                .map(|(name, id)| [name.as_str(), "https://a.example/v1", id.as_str()])
                .collect();
            let rows: Vec<&[&str]> = rows.iter().map(|row| &row[..]).collect();
            let text = table(&columns, &rows).fitted(Some(width));
            prop_assert_eq!(text.lines().count(), names.len() + 1);
            for (line, name) in text.lines().skip(1).zip(&names) {
                prop_assert!(line.width() <= width, "{line:?}");
                prop_assert!(line.starts_with(name.as_str()), "{line:?}");
                prop_assert_eq!(line, line.trim_end());
            }
        }
    }
}

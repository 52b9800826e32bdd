use comfy_table::{ContentArrangement, presets};

use super::Paint;

/// A table without lines that fits the terminal. Its cells are plain text: colours would count as
/// width.
pub(crate) struct Table {
    paint: Paint,
    table: comfy_table::Table,
}

impl Table {
    pub(crate) fn new(paint: Paint, head: &[&'static str]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            // Where lines may be as long as they are, nothing has to be measured against a width.
            .set_content_arrangement(ContentArrangement::Disabled);
        if let Some(width) = width() {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
        }
        table.set_header(head.iter().copied());
        Self { paint, table }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.table.add_row(cells);
    }

    pub(crate) fn text(&self) -> String {
        let rendered = self.table.to_string();
        let lines = rendered.lines().map(|line| {
            let line = line.trim_end();
            line.strip_prefix(' ').unwrap_or(line)
        });
        let mut text = String::new();
        for (index, line) in lines.enumerate() {
            match index {
                0 => text.push_str(&self.paint.bold(line)),
                _ => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }
}

/// The width of the terminal on standard output; elsewhere lines are as long as they are.
#[cfg(unix)]
fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// On Windows rows are as long as they are, and the console wraps them.
#[cfg(not(unix))]
fn width() -> Option<u16> {
    None
}

/// The height of the terminal on standard output, if it is one that can be drawn on again.
#[cfg(unix)]
pub(crate) fn terminal_height() -> Option<usize> {
    use std::io::IsTerminal as _;

    if !std::io::stdout().is_terminal() {
        return None;
    }
    let rows = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| size.ws_row);
    // A terminal that does not tell is taken for the smallest there was.
    Some(if rows > 0 { usize::from(rows) } else { 24 })
}

/// Windows' consoles are not drawn on again: what has changed is told in lines.
#[cfg(not(unix))]
pub(crate) fn terminal_height() -> Option<usize> {
    None
}

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
            .set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(width) = width() {
            table.set_width(width);
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

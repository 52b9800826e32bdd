use super::{Paint, plain};

/// Names and values, one pair per line, with aligned values.
pub(crate) struct Fields {
    paint: Paint,
    lines: Vec<(&'static str, String)>,
}

impl Fields {
    pub(crate) fn new(paint: Paint) -> Self {
        Self {
            paint,
            lines: Vec::new(),
        }
    }

    pub(crate) fn put(&mut self, name: &'static str, value: &str) {
        self.lines.push((name, plain(value).into_owned()));
    }

    /// Omits the line if there is no value.
    pub(crate) fn put_some(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// Omits the line if the list is empty.
    pub(crate) fn put_list(&mut self, name: &'static str, values: &[String]) {
        if !values.is_empty() {
            self.put(name, &values.join(", "));
        }
    }

    pub(crate) fn text(&self) -> String {
        let width = self
            .lines
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        for (name, value) in &self.lines {
            let name = self.paint.dim(&format!("{name:<width$}"));
            text.push_str(&format!("{name}  {value}\n"));
        }
        text
    }
}

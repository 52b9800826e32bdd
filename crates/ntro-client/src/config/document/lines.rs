//! Line endings of a file, which the parser does not keep.

use std::fmt;

use zeroize::Zeroizing;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The line endings of a Windows editor: carriage returns before line breaks, and a byte order mark
/// at the start of the file.
pub(super) struct LineEndings {
    marked: bool,
    /// The original file, if any line ends in a carriage return.
    before: Option<Zeroizing<String>>,
    /// The last line, if it has no line break.
    open: Option<Zeroizing<String>>,
}

impl LineEndings {
    pub(super) fn of(text: &str) -> Self {
        let unmarked = text.strip_prefix(BYTE_ORDER_MARK);
        let before = unmarked.unwrap_or(text);
        Self {
            marked: unmarked.is_some(),
            before: before
                .contains('\r')
                .then(|| Zeroizing::new(before.to_owned())),
            open: (!before.is_empty() && !before.ends_with('\n')).then(|| {
                let start = before.rfind('\n').map_or(0, |end| end + 1);
                Zeroizing::new(before[start..].to_owned())
            }),
        }
    }

    /// Returns the edited text with its original line endings. The edited lines all end in a line
    /// break alone. In a file with mixed endings, the lines between the first and the last change
    /// get the most frequent ending.
    pub(super) fn restored(&self, mut edited: Zeroizing<String>) -> Zeroizing<String> {
        // The parser adds a missing line break at the end; it is removed while that line is still
        // the last.
        if let Some(open) = &self.open
            && let Some(rest) = edited.strip_suffix('\n')
            && let Some(rest) = rest.strip_suffix(open.as_str())
            && (rest.is_empty() || rest.ends_with('\n'))
        {
            edited.pop();
        }
        let before = self.before.as_deref().map_or("", String::as_str);
        if before.is_empty() && !self.marked {
            return edited;
        }
        // Allocated in full: a growing buffer leaves copies behind.
        let breaks = edited.bytes().filter(|byte| *byte == b'\n').count();
        let mut text = Zeroizing::new(String::with_capacity(edited.len() + breaks + 3));
        if self.marked {
            text.push(BYTE_ORDER_MARK);
        }
        if before.is_empty() {
            text.push_str(&edited);
            return text;
        }
        let old: Vec<&str> = before.split_inclusive('\n').collect();
        let new: Vec<&str> = edited.split_inclusive('\n').collect();
        let same = |(old, new): &(&&str, &&str)| bare(old) == bare(new);
        let head = old.iter().zip(&new).take_while(same).count();
        let rest = old.len().min(new.len()) - head;
        let tail = old.iter().rev().zip(new.iter().rev());
        let tail = tail.take(rest).take_while(same).count();
        let returns = old.iter().filter(|line| line.ends_with("\r\n")).count();
        let usual = 2 * returns >= old.len();
        for (index, line) in new.iter().enumerate() {
            let counterpart = if index < head {
                old.get(index)
            } else if index + tail >= new.len() {
                old.get(old.len() + index - new.len())
            } else {
                None
            };
            // The last line may have had no line break.
            let counterpart = counterpart.filter(|line| line.ends_with('\n'));
            let carriage = counterpart.map_or(usual, |line| line.ends_with("\r\n"));
            match line.strip_suffix('\n') {
                Some(line) if carriage => {
                    text.push_str(line);
                    text.push_str("\r\n");
                }
                _ => text.push_str(line),
            }
        }
        text
    }
}

/// Returns a line without its line break.
fn bare(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

impl fmt::Debug for LineEndings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineEndings")
            .field("marked", &self.marked)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(before: &str, edited: &str) -> String {
        let edited = Zeroizing::new(edited.to_owned());
        LineEndings::of(before).restored(edited).to_string()
    }

    #[test]
    fn line_endings_are_kept() {
        for (before, edited, expected) in [
            ("a\nb\n", "a\nx\nb\n", "a\nx\nb\n"),
            ("a\r\nb\r\n", "a\nx\nb\n", "a\r\nx\r\nb\r\n"),
            ("a\r\nb", "a\nb", "a\r\nb"),
            ("a\r\nb", "a\nb\nc\n", "a\r\nb\r\nc\r\n"),
            ("a\nb\r\nc\r\nd\n", "a\nb\nx\nd\n", "a\nb\r\nx\r\nd\n"),
            ("\u{feff}a\r\n", "a\nb\n", "\u{feff}a\r\nb\r\n"),
            ("\u{feff}a\n", "a\nb\n", "\u{feff}a\nb\n"),
            ("a\r\n", "", ""),
            ("a\nb", "a\nb\n", "a\nb"),
            ("a\nb", "a\nxb\n", "a\nxb\n"),
            ("b", "b\nc\n", "b\nc\n"),
            ("", "a\n", "a\n"),
        ] {
            assert_eq!(restored(before, edited), expected, "{before:?}");
        }
    }
}

use std::ops::Range;
use std::path::{Path, PathBuf};

use ntro_base::disk;

/// Why a file could not be read or changed. Gives the path and, where known, the line and column;
/// never the line itself, which may hold a key.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read or written.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The file is not UTF-8.
    #[error("`{}` is not text in UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML, or a value in it has the wrong type.
    #[error("`{}`, line {line}, column {column}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted in characters from 1.
        column: usize,
        /// The parser's message.
        message: String,
    },
    /// The value cannot be removed without another change; a person can do it with an editor.
    #[error("`{}`: cannot remove `{key}` without changing something else: {reason}", path.display())]
    NotEditable {
        /// The file.
        path: PathBuf,
        /// The key of the value.
        key: &'static str,
        /// The reason.
        reason: &'static str,
    },
    /// A change cannot be made without changing something else as well; a person can make it with
    /// an editor.
    #[error("`{}` cannot be changed without changing something else in it", path.display())]
    Entangled {
        /// The file.
        path: PathBuf,
    },
    /// A change would replace a value of another type.
    #[error("`{}`: `{key}` is not a table, so nothing can be written into it", path.display())]
    NotATable {
        /// The file.
        path: PathBuf,
        /// The dotted key.
        key: String,
    },
    /// The file has no such connection.
    #[error("`{}` has no connection `{name}`", path.display())]
    NoConnection {
        /// The file.
        path: PathBuf,
        /// The name of the connection.
        name: String,
    },
}

impl Error {
    pub(crate) fn invalid(
        path: &Path,
        text: &str,
        span: Option<Range<usize>>,
        message: &str,
    ) -> Self {
        // The parser lists the expected tokens on separate lines.
        let message = &in_words_of_toml(&without_value(message.trim())).replace('\n', ", ");
        let before = &text[..span.map_or(0, |span| text.floor_char_boundary(span.start))];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        Self::at(path, line, column, message)
    }

    pub(super) fn at(path: &Path, line: usize, column: usize, message: &str) -> Self {
        Self::Invalid {
            path: path.to_owned(),
            line,
            column,
            message: message.to_owned(),
        }
    }
}

/// Removes the text from `invalid type: string "…", expected …`: it may be a misplaced key.
fn without_value(message: &str) -> String {
    match (message.find("string \""), message.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => {
            let kind = start + "string".len();
            format!("{}{}", &message[..kind], &message[end + 1..])
        }
        _ => message.to_owned(),
    }
}

/// Replaces serde's words for tables and arrays with TOML's.
fn in_words_of_toml(message: &str) -> String {
    [
        ("invalid type: map,", "invalid type: table,"),
        ("invalid type: sequence,", "invalid type: array,"),
        ("expected a map", "expected a table"),
        ("expected a sequence", "expected an array"),
    ]
    .into_iter()
    .fold(message.to_owned(), |message, (theirs, ours)| {
        message.replace(theirs, ours)
    })
}

/// Reads a file as text; `None` when there is none.
pub(crate) fn read_text(path: &Path) -> Result<Option<zeroize::Zeroizing<String>>, Error> {
    let bytes = disk::read_bounded(path, super::LARGEST)?;
    bytes.map(|bytes| to_text(path, bytes)).transpose()
}

/// Decodes the content of a file.
pub(super) fn to_text(path: &Path, bytes: Vec<u8>) -> Result<zeroize::Zeroizing<String>, Error> {
    String::from_utf8(bytes).map(Into::into).map_err(|error| {
        drop(zeroize::Zeroizing::new(error.into_bytes()));
        Error::NotUtf8 {
            path: path.to_owned(),
        }
    })
}

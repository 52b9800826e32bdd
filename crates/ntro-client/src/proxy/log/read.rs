use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use ntro_base::disk::{self, FileLock};

use super::writer::lock_path;
use super::{KEPT, LONGEST_LINE, LogEntry, NO_HASH, hash};

/// The log of calls at a path, with the older ones that are kept.
#[derive(Clone, Debug)]
pub struct CallLog {
    path: PathBuf,
}

/// A log whose chain is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedLog {
    /// The number of its lines.
    pub lines: u64,
    /// The number of the first line that is kept; above 1 after older logs were removed.
    pub first: u64,
    /// Whether a killed writer left an incomplete last line.
    pub is_incomplete: bool,
}

/// The first line at which a log is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of `{}` {reason}", path.display())]
pub struct BrokenLog {
    /// The file.
    pub path: PathBuf,
    /// The line in it, from 1 on.
    pub line: u64,
    /// The problem.
    pub reason: &'static str,
}

/// A line of the log as it is in the file.
struct Line<'a> {
    path: &'a Path,
    number: u64,
    text: &'a [u8],
    is_complete: bool,
    is_last: bool,
}

impl CallLog {
    /// Takes the path of the current log.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns the path of the current log.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns all entries, oldest first. Lines that are none are left out.
    pub fn entries(&self) -> Result<Vec<LogEntry>, disk::Error> {
        let mut entries = Vec::new();
        self.for_each(|line| {
            entries.extend(serde_json::from_slice(line.text));
            Ok::<_, BrokenLog>(())
        })?
        .ok();
        Ok(entries)
    }

    /// Checks the chain of hashes.
    pub fn verify(&self) -> Result<Result<CheckedLog, BrokenLog>, disk::Error> {
        let mut checked = CheckedLog {
            lines: 0,
            first: 1,
            is_incomplete: false,
        };
        let mut previous: Option<(u64, String)> = None;
        let outcome = self.for_each(|line| {
            let broken = |reason| BrokenLog {
                path: line.path.to_owned(),
                line: line.number,
                reason,
            };
            if checked.is_incomplete {
                return Err(BrokenLog {
                    line: line.number - 1,
                    ..broken("is too long for an entry of the log")
                });
            }
            if !line.is_complete && line.is_last {
                checked.is_incomplete = true;
                return Ok(());
            }
            let entry: LogEntry = serde_json::from_slice(line.text)
                .map_err(|_| broken("is not an entry of the log"))?;
            match &previous {
                Some((sequence, _)) if entry.sequence != sequence + 1 => {
                    return Err(broken(
                        "has another number than the next one: lines are missing",
                    ));
                }
                Some((_, hash)) if entry.previous != *hash => {
                    return Err(broken(
                        "has not the hash of the line before, which was changed",
                    ));
                }
                None if entry.sequence == 1 && entry.previous != NO_HASH => {
                    return Err(broken(
                        "is the first one and has the hash of another before it",
                    ));
                }
                None if entry.sequence != 1 && !self.has_rotated() => {
                    return Err(broken("is not the first one: lines before it are missing"));
                }
                None => checked.first = entry.sequence,
                Some(_) => {}
            }
            checked.lines += 1;
            previous = Some((entry.sequence, hash(line.text)));
            Ok(())
        })?;
        Ok(outcome.map(|()| checked))
    }

    /// Returns whether the oldest logs may have been replaced.
    fn has_rotated(&self) -> bool {
        disk::older_log(&self.path, KEPT).exists()
    }

    /// Calls `act` with each line, oldest first. The lock keeps writers out.
    fn for_each<E>(
        &self,
        mut act: impl FnMut(&Line<'_>) -> Result<(), E>,
    ) -> Result<Result<(), E>, disk::Error> {
        let all = (0..=KEPT)
            .rev()
            .map(|number| disk::older_log(&self.path, number));
        let paths: Vec<_> = all.filter(|path| path.exists()).collect();
        if paths.is_empty() {
            return Ok(Ok(()));
        }
        let _lock = FileLock::acquire(&lock_path(&self.path))?;
        for path in &paths {
            let of_path = |error| disk::Error::io("read", path)(error);
            let mut reader = BufReader::new(File::open(path).map_err(of_path)?);
            let mut number = 0;
            while let Some((text, is_complete)) = read_line(&mut reader).map_err(of_path)? {
                number += 1;
                let line = Line {
                    path,
                    number,
                    text: &text,
                    is_complete,
                    is_last: *path == self.path,
                };
                if let Err(error) = act(&line) {
                    return Ok(Err(error));
                }
            }
        }
        Ok(Ok(()))
    }
}

/// Reads a line; `false` if it has no line break at its end, or is too long.
fn read_line(reader: &mut impl io::BufRead) -> io::Result<Option<(Vec<u8>, bool)>> {
    let mut line = Vec::new();
    let read = reader
        .by_ref()
        .take(2 * LONGEST_LINE as u64)
        .read_until(b'\n', &mut line)?;
    let is_complete = line.pop_if(|byte| *byte == b'\n').is_some();
    Ok((read > 0).then_some((line, is_complete)))
}

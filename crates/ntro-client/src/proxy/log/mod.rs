//! The log of calls: lines of JSON, each with the hash of the one before.
//!
//! Any number of processes append to one log. The chain shows that a line was changed or removed,
//! except lines at the end; who can write the log can also write another one. A writer that is
//! killed may leave an incomplete last line, which the next writer removes.

mod entry;
mod queue;
mod read;
mod writer;

pub use entry::{Decision, LogEntry};
pub use read::{BrokenLog, CallLog, CheckedLog};
pub(super) use writer::LogWriter;

use aws_lc_rs::digest::{SHA256, digest};

/// The hash before the first line.
const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The size at which a log is rotated.
const LARGEST: u64 = 4 << 20;
/// The number of older logs that are kept.
const KEPT: usize = 4;
/// More than the longest line.
const LONGEST_LINE: usize = 16 << 10;

/// Returns the hash of a line without its line break.
fn hash(line: &[u8]) -> String {
    let hash = digest(&SHA256, line);
    let mut text = String::with_capacity(2 * hash.as_ref().len());
    for byte in hash.as_ref() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}

//! The transparency logs of the audit table, as the database has them.

use crate::transparency::{AuditEntry, RightEdge, TreeHash};

/// One log.
#[derive(Clone, Debug)]
pub(crate) struct LogRecord {
    /// Its name: `tenant/ID`, `organisation/ID` or `authority`.
    pub(crate) name: String,
    /// The number of its entries.
    pub(crate) size: u64,
    /// The right edge of its tree; `None` if it does not fit the size.
    pub(crate) edge: Option<RightEdge>,
    /// Its last checkpoint, if one was signed.
    pub(crate) signed: Option<SignedRecord>,
}

/// The last checkpoint of a log.
#[derive(Clone, Debug)]
pub(crate) struct SignedRecord {
    /// The signed note.
    pub(crate) note: String,
    /// The right edge of the tree that it is for; `None` if it is none.
    pub(crate) edge: Option<RightEdge>,
}

/// One entry of a log.
#[derive(Clone, Debug)]
pub(crate) struct LogRow {
    /// The number of entries before it.
    pub(crate) index: u64,
    /// The hash of its line.
    pub(crate) hash: TreeHash,
    /// Its row of the audit table; `None` if that is missing.
    pub(crate) entry: Option<AuditEntry>,
}

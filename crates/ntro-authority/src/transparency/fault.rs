use super::note::NoteError;

/// A difference between a log and its audit rows, its tree or its checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFault {
    /// The audit row of an entry is missing.
    #[error("the row of entry {index} was deleted")]
    RowMissing {
        /// The index of the entry.
        index: u64,
    },
    /// The audit row of an entry has another line.
    #[error("the row {id} of entry {index} was changed")]
    RowChanged {
        /// The index of the entry.
        index: u64,
        /// The id of the row.
        id: i64,
    },
    /// The log lacks the hash of an entry.
    #[error("the hash of entry {index} was deleted")]
    EntryMissing {
        /// The index of the entry.
        index: u64,
    },
    /// The log has the hash of an entry beyond its size.
    #[error("entry {index} is beyond the size of the log")]
    EntryBeyond {
        /// The index of the entry.
        index: u64,
    },
    /// The hashes of the tree are not those of the entries.
    #[error("the tree was changed: it is not the tree of the entries")]
    Tree,
    /// The last checkpoint in the database is not signed by the authority's key.
    #[error("the checkpoint in the database was replaced: {0}")]
    Checkpoint(String),
    /// A checkpoint has more entries than the log.
    #[error("the log was truncated: it has {size} entries, {checkpoint} has {signed}")]
    Truncated {
        /// The number of entries.
        size: u64,
        /// The number of entries of the checkpoint.
        signed: u64,
        /// The name of the checkpoint.
        checkpoint: String,
    },
    /// A checkpoint is not one of the log's history.
    #[error("the log was forked: its first {signed} entries are not those of {checkpoint}")]
    Forked {
        /// The number of entries of the checkpoint.
        signed: u64,
        /// The name of the checkpoint.
        checkpoint: String,
    },
}

impl From<NoteError> for AuditFault {
    fn from(error: NoteError) -> Self {
        Self::Checkpoint(error.to_string())
    }
}

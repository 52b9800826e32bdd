//! Proofs in a file (`c2sp.org/tlog-proof`).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::merkle::TreeHash;

/// The proof that an entry is in a log. Displays as the file.
#[derive(Clone, Debug)]
pub(crate) struct LogProof {
    /// The entry itself, so that the file needs no other.
    pub(crate) entry: String,
    /// The number of entries before it.
    pub(crate) index: u64,
    /// The inclusion proof, the sibling of the leaf first.
    pub(crate) path: Vec<TreeHash>,
    /// The signed checkpoint.
    pub(crate) checkpoint: String,
}

impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "c2sp.org/tlog-proof@v1")?;
        writeln!(f, "extra {}", STANDARD.encode(&self.entry))?;
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

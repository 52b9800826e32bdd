//! The audit table as transparency logs, which other programs can verify without the database.
//!
//! Each tenant has a log, and each organisation one for its events without a tenant. A log is a
//! Merkle tree of RFC 6962 over the [`AuditEntry`] lines of its events. A [`Checkpoint`] is signed
//! with a key of its own, and has the format of `c2sp.org/tlog-checkpoint`; a [`LogProof`] has that of
//! `c2sp.org/tlog-proof`, and tiles those of `c2sp.org/tlog-tiles`.

mod checkpoint;
mod entry;
mod fault;
mod log_key;
mod merkle;
mod note;
mod proof;
mod tile;

pub(crate) use checkpoint::Checkpoint;
pub(crate) use entry::AuditEntry;
pub use fault::AuditFault;
pub(crate) use log_key::LogKey;
pub(crate) use merkle::{RightEdge, TreeHash, consistency_path, inclusion_path, root};
pub(crate) use proof::LogProof;
pub(crate) use tile::{TILE_WIDTH, TilePath};

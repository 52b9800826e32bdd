//! State that `ntro` records between commands: key locations and unfinished changes.
//!
//! Each kind of record is one `StateFile` in the folder of `ntro`. [`KeyRecords`] is
//! `logins.toml`; the journals in [`ops`](crate::ops) are the others. None of them holds a key.

mod key_records;
mod state_file;
pub(crate) mod text;

pub use key_records::{KeyRecord, KeyRecords};
pub(crate) use state_file::{State, StateFile};

//! Private files that survive a kill: locks, folders, and replacement by rename.
//!
//! Only this module writes to the folder of `ntro`. Each write holds a [`FileLock`], writes a
//! temporary file beside the target, syncs it and renames it over the target. A kill leaves the old
//! file or the new one, and at most one temporary file, which the next write overwrites.

mod claim;
mod error;
mod lock;
mod log;
mod names;
mod owner;
mod permissions;
mod private;
mod shared;
mod trusted;

pub use claim::Claim;
pub use error::Error;
pub(crate) use error::describe;
pub use lock::FileLock;
pub use log::{older_log, open_log, rotate_log};
pub use names::{IDENTITY, KEYS};
pub use permissions::{Finding, foreign_owner, inspect, is_root, other_owner, restrict};
pub use private::{
    create_private_folder, ensure_writable, leftover, read_bounded, refuse_dangling_link, remove,
    remove_leftover, replace,
};
pub use shared::replace_shared;
pub use trusted::read_trusted;

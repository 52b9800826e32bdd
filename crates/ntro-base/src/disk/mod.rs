//! Private files that survive a kill: locks, folders, and replacement by rename.
//!
//! The only code that writes below the folder of `ntro`. Every write is made under a [`FileLock`],
//! into one fixed temporary file beside the target, synced and renamed over it: a kill at any
//! instant leaves the old file or the new one, and at most that one temporary file, which the next
//! write takes over.

mod claim;
mod error;
mod lock;
mod names;
mod permissions;
mod private;
mod trusted;

pub use claim::Claim;
pub use error::Error;
pub use lock::FileLock;
pub use names::{IDENTITY, KEYS};
pub use permissions::{Finding, foreign_owner, inspect, restrict};
pub use private::{
    create_private_folder, ensure_writable, leftover, read_bounded, remove, remove_leftover,
    replace,
};
pub use trusted::read_trusted;

//! Child keys: a key for one program, which ends with it.
//!
//! An authority creates a child of the presented key. The request is first recorded in
//! `children.toml` ([`ChildKeys`]), without any key, and its process claims the record for as long as
//! it runs. A record without a claim is left over from a killed process: the next command that calls
//! the server with the same key revokes its child ([`revoke_leftover`]). If none does, the child
//! expires.

mod error;
mod journal;
mod steps;

pub use error::Error;
pub use journal::{ChildKeys, ChildRecord};
pub use steps::{ChildKey, revoke_leftover};

//! The protocols in which other tools ask for a credential: what they say, and what they are
//! answered. Nothing here reads a key or decides who gets it.

pub mod bazel;
pub mod cargo;
pub mod git;
mod header;
mod matching;

pub use header::KeyHeader;
pub use matching::{Matching, url_origin};

//! The protocols in which other tools ask for a credential: their requests and the answers. Nothing
//! here reads a key or decides which tool gets it.

pub mod bazel;
pub mod cargo;
pub mod git;
mod header;
mod matching;

pub use header::KeyHeader;
pub use matching::{connections_with, url_origin};

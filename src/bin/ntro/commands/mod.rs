//! One verb, one file.

pub(crate) mod auth;
pub(crate) mod completions;
#[cfg(feature = "authority")]
pub(crate) mod dev;
pub(crate) mod identity;
pub(crate) mod man;

//! One verb, one file.

pub(crate) mod auth;
pub(crate) mod completions;
pub(crate) mod identity;
pub(crate) mod man;

//! One verb, one file.

#[cfg(feature = "authority")]
pub(crate) mod admin;
pub(crate) mod auth;
pub(crate) mod completions;
#[cfg(feature = "authority")]
mod database;
#[cfg(feature = "authority")]
pub(crate) mod dev;
pub(crate) mod identity;
pub(crate) mod man;
#[cfg(feature = "authority")]
pub(crate) mod serve;

//! One verb, one file.

#[cfg(feature = "authority")]
pub(crate) mod admin;
pub(crate) mod auth;
pub(crate) mod completions;
#[cfg(feature = "authority")]
mod database;
mod destination;
#[cfg(feature = "authority")]
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod expiry;
pub(crate) mod group;
mod handover;
pub(crate) mod helper;
pub(crate) mod identity;
pub(crate) mod key;
mod key_choice;
#[cfg_attr(
    not(feature = "authority"),
    expect(dead_code, reason = "the authority has a default port")
)]
mod listening;
pub(crate) mod man;
pub(crate) mod pin;
pub(crate) mod prove;
pub(crate) mod proxy;
mod seal_level;
#[cfg(feature = "authority")]
pub(crate) mod serve;
pub(crate) mod tenant;
#[cfg(unix)]
mod unix_socket;

pub(crate) use seal_level::seal_levels;

//! Named connections to the Ntropii and Ontora APIs, with every key in a real secret store.

#![warn(clippy::print_stdout, clippy::print_stderr, clippy::exit)]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests lay out files of their own"
    )
)]

pub mod api;
#[cfg(feature = "authority")]
pub mod authority;
pub mod config;
pub mod connection;
pub mod disk;
pub mod domain;
pub mod env;
pub mod login;
pub mod secrets;
pub mod wire;

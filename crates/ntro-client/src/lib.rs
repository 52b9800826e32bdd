//! Everything that the `ntro` program and its SDK share: configuration, secret stores, the rules
//! that decide which key goes where, and a typed client of both systems.
//!
//! It prints nothing and never ends the process.
//!
//! An internal crate: its API follows the needs of `ntro` and promises nothing to others. Depend
//! on the crate `ntro` instead.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests write files of their own")
)]

pub mod api;
pub mod config;
pub mod exec;
pub mod helper;
pub mod ops;
pub mod proxy;
pub mod redact;
pub mod resolve;
pub mod secrets;
pub mod session;
pub mod state;

mod bound_key;

pub use bound_key::BoundKey;
pub use session::{Options, Session};

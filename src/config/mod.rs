//! The files below the folder of `ntro`, and the project's pin.
//!
//! `config.toml` is shared with the official clients: [`Config`] is what it says, [`Document`] is
//! how it is edited, in place. `logins.toml` ([`Logins`]) is ours alone. `.ntro.toml` ([`Pin`])
//! belongs to a project and may name a connection and a tenant only.

mod document;
mod error;
mod helpers;
mod home;
mod logins;
mod pin;
mod schema;
mod unknown;

pub use document::Document;
pub use error::Error;
pub use helpers::{HelperEntry, MissingEntry};
pub use home::{Home, NoHome};
pub use logins::{Login, Logins};
pub use pin::Pin;
pub use schema::{Config, ConnectionEntry};
pub use unknown::unknown_keys;

/// No file of ours comes near this size; whatever does is not one of ours.
const LARGEST: u64 = 8 << 20;

//! The files below the folder of `ntro`, and the project's pin.
//!
//! `config.toml` is shared with the official clients: [`Config`] is what it says, [`Document`] is
//! how it is edited, in place. `logins.toml` (`KeyRecords` of the module `state`) is ours alone. `.ntro.toml` ([`Pin`])
//! belongs to a project and may name a connection and a tenant only. [`OntoraFile`] is the file of
//! Ontora's official client, for its key to be taken over.

mod document;
mod error;
mod helpers;
mod ntro_dir;
mod ontora;
mod pin;
mod safety_settings;
mod schema;
mod unknown;

pub use document::{Document, EditedDocument, Value};
pub use error::Error;
pub(crate) use error::read_text;
pub use helpers::{HelperEntry, MissingEntry};
pub use ntro_dir::{NoHome, NtroDir};
pub use ontora::OntoraFile;
pub use pin::{Pin, PinSearch};
pub use safety_settings::SafetySettings;
pub use schema::{Config, ConnectionEntry};
pub use unknown::unknown_keys;

/// No file of ours comes near this size; whatever does is not one of ours.
const LARGEST: u64 = 8 << 20;

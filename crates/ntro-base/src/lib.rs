//! Validated values, both wire formats, the environment, private files and HTTP rules.
//!
//! The client and the authority of `ntro` share this crate. Values are parsed into types where they
//! enter the program; [`Env`](env::Env) is the only reader of the environment, [`disk`] the only
//! writer of private files, and [`http`] makes every HTTP client. Nothing here makes a call by
//! itself.
//!
//! This crate is internal to `ntro`: its API may change in any release.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests write files of their own")
)]

pub mod accept;
pub mod descriptors;
pub mod disk;
pub mod env;
pub mod http;
pub mod wire;

mod api_key;
mod host;
mod issued_key;
mod names;
mod period;
mod policy;
mod provider;
mod scope;
mod text;

pub use api_key::{ApiKey, ApiKeyError, KeyPrefix};
pub use host::{Host, HostError, Origin, shown_host};
pub use issued_key::{IssuedKey, KeyEnvironment, ParsedKey};
pub use names::{ConnectionName, KeyName, NameError, TenantSlug};
pub use period::{Period, PeriodError};
pub use policy::{Policy, UnknownPolicy};
pub use provider::{Provider, UnknownProvider};
pub use scope::{Scope, UnknownScope};
pub use text::{escaped, is_hidden, is_printable, printable, without_byte_order_mark};

//! Values that cannot be wrong: parsed once, at the edge, and passed on as types.
//!
//! Nothing here reads a file, a variable or a socket.

mod api_key;
mod bound_key;
mod host;
mod issued_key;
mod loopback;
mod names;
mod period;
mod policy;
mod provider;
mod scope;
mod text;

pub use api_key::{ApiKey, ApiKeyError, KeyPrefix};
pub use bound_key::BoundKey;
pub use host::{Host, HostError, Origin, shown_host};
pub use issued_key::{IssuedKey, KeyEnvironment, ParsedKey};
pub use loopback::loopback_addresses;
pub use names::{ConnectionName, KeyName, NameError, TenantSlug};
pub use period::{Period, PeriodError};
pub use policy::{Policy, UnknownPolicy};
pub use provider::{Provider, UnknownProvider};
pub use scope::{Scope, UnknownScope};
pub use text::{is_printable, printable};

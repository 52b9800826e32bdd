//! Which connection, host, key and tenant a call uses, and why.
//!
//! [`Inputs::resolve`] decides every value in one pass, each from its sources in order of
//! precedence, and keeps the order as a [`Trace`]. Nothing here touches the network; a store is
//! opened only by [`Resolution::connection`], and only when the key comes from it.

mod admin_token;
mod connection_facts;
mod decide;
mod error;
mod helpers;
mod inputs;
mod production;
mod provenance;
mod resolution;
mod reveal;
mod shadow;
mod summary;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

pub use admin_token::{AdminTokenCommand, AdminTokenSource};
pub use connection_facts::{ConnectionFacts, StoredKey};
pub use error::Error;
pub use helpers::helpers;
pub use inputs::{Flags, GivenBy, Inputs};
pub use production::Production;
pub use provenance::{Candidate, Source, Sourced, Trace};
pub use resolution::{Decided, KeySource, Resolution};
pub use shadow::{ResolvedValue, Shadow};
pub use summary::Summary;

use crate::BoundKey;
use ntro_base::{ConnectionName, Host, Policy, Provider, TenantSlug};

/// Everything that a call needs, already decided.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connection {
    /// The name in `config.toml`; none where the environment alone says host and key.
    pub name: Option<Sourced<ConnectionName>>,
    /// The system that is called.
    pub provider: Sourced<Provider>,
    /// The base URL.
    pub host: Sourced<Host>,
    /// The key, bound to the origin it may be sent to.
    pub key: Sourced<BoundKey>,
    /// The tenant; none where it is the only one that the key reaches.
    pub tenant: Option<Sourced<TenantSlug>>,
    /// Whether the key may be revealed; `Open` for one from the environment.
    pub policy: Policy,
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: &str,
    source: &Source,
) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| Error::Invalid {
        source_of_value: source.clone(),
        reason: error.to_string(),
    })
}

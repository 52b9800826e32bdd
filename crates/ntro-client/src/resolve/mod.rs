//! Which connection, host, key and tenant a call will use, and why.
//!
//! [`Resolver`] decides each value by itself, from an ordered list of candidates, and keeps that
//! list for whoever asks why. Nothing here touches the network; a store is opened only by
//! [`Resolver::connection`], and only when the key is to come from it.

mod error;
mod helpers;
mod production;
mod provenance;
mod resolver;
mod reveal;

pub use error::Error;
pub use helpers::helpers;
pub use production::Production;
pub use provenance::{Candidate, Decision, Source, Sourced};
pub use resolver::{
    AdminTokenCommand, AdminTokenSource, Flags, KeySource, ResolvedValue, Resolver, Shadow,
    StoredKey,
};

use crate::BoundKey;
use ntro_base::{ConnectionName, Host, Policy, Provider, TenantSlug};

/// What a call needs, already decided.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connection {
    /// The name in `config.toml`; none where the environment alone says host and key.
    pub name: Option<Sourced<ConnectionName>>,
    /// The system that is talked to.
    pub provider: Sourced<Provider>,
    /// The base URL.
    pub host: Sourced<Host>,
    /// The key, bound to the origin it may be sent to.
    pub key: Sourced<BoundKey>,
    /// The tenant, unless it is left to the key: then it is the one that the key reaches.
    pub tenant: Option<Sourced<TenantSlug>>,
    /// What may become of the key; `Open` for one that the environment has brought.
    pub policy: Policy,
}

//! The registry: every operation on organisations, tenants and keys, behind `ntro admin`, the routes
//! and `ntro dev`.
//!
//! Nothing else calls the [`Store`]. A [`Registry`] belongs to one [`Actor`], so there is no read and
//! no change without one; each change records the actor in the audit table, in its own transaction.

mod admin_token;
mod children;
mod issuer;
mod keys;
mod members;
mod mint;
mod open;
mod organisations;
mod rotation;
mod tenants;
mod tripwires;
mod usage;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::actor::Actor;
pub(crate) use crate::store::KeyFilter;
use crate::store::{Stamp, Store};
use crate::verify::Hasher;
pub(crate) use issuer::ISSUER;
use issuer::SigningKey;
pub(crate) use keys::{MintOutcome, RequestDigest};
pub(crate) use mint::NewChild;
#[cfg(test)]
pub(crate) use mint::mint;
pub use mint::{LONGEST_LIFE_IN_DAYS, MintedKey, NewApiKey};
pub use tenants::NewTenant;
pub(crate) use tenants::is_slug;

/// The registry of an authority, as one actor uses it.
///
/// A change is durable when its call has succeeded. If it takes something away, the serving process
/// has applied it by then. A new key or tenant is known to the serving process as well, unless that
/// process hangs; then it learns of it as soon as it goes on.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
    actor: Actor,
}

/// The state that the registries of all actors share.
struct Shared {
    store: Arc<dyn Store>,
    hasher: Hasher,
    issuer: SigningKey,
}

impl Registry {
    /// Returns the same registry, as another actor uses it.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self {
            shared: self.shared.clone(),
            actor,
        }
    }

    /// Returns the built-in issuer's public key as a JSON Web Key Set.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.shared.issuer.jwks()
    }

    /// Returns whether changes can be written now, and reach verification.
    pub(crate) fn is_healthy(&self) -> bool {
        self.store().is_healthy()
    }

    fn store(&self) -> &dyn Store {
        &*self.shared.store
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            actor: self.actor.clone(),
            at: now(),
        }
    }
}

/// Returns the time, to the millisecond, as the database has it.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

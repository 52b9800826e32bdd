//! The registry: every operation on organisations, tenants and keys, behind `ntro admin`, the routes
//! and `ntro dev`.
//!
//! Nothing else calls the [`Store`]. A [`Registry`] belongs to one [`Actor`], so there is no read and
//! no change without one; each change records the actor in the audit table, in its own transaction.

mod admin_token;
mod audit_logs;
mod audit_tiles;
mod audit_verification;
mod children;
mod expiry;
mod issuer;
mod keys;
mod leaks;
mod members;
mod mint;
mod once;
mod open;
mod organisations;
mod pauses;
mod policies;
mod rotation;
mod tenants;
mod tripwires;
mod usage;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::actor::Actor;
use crate::lease::Passage;
pub(crate) use crate::store::KeyFilter;
use crate::store::{Replication, Stamp, Store};
use crate::transparency::LogKey;
use crate::verify::Hasher;
pub use audit_logs::{AuditLogName, ProvedEvent};
pub use audit_verification::{AuditLogReport, AuditReport, ConsistencyProof, KeptCheckpoint};
pub(crate) use issuer::ISSUER;
use issuer::SigningKey;
pub(crate) use keys::{MintOutcome, RequestDigest};
pub(crate) use leaks::LeakedKey;
pub(crate) use mint::NewChild;
#[cfg(test)]
pub(crate) use mint::mint;
pub use mint::{LONGEST_LIFE_IN_DAYS, MintedKey, NewApiKey};
pub(crate) use once::Answered;
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
    log_key: LogKey,
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

    /// Returns the public key of the audit logs as a JSON Web Key Set.
    pub(crate) fn audit_jwks(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.shared.log_key.public());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "x": x}]})
    }

    /// Returns whether changes can be written now, and reach verification.
    pub(crate) fn is_healthy(&self) -> bool {
        self.store().is_healthy()
    }

    /// Waits until the subscriber has every change that was committed before this call; `None` if the
    /// database does not answer.
    pub(crate) async fn barrier(&self) -> Option<Passage> {
        self.store().barrier().await.ok()
    }

    /// Returns the state of this process among those that serve the database, if there may be
    /// several.
    pub(crate) fn replication(&self) -> Option<Replication> {
        self.store().replication()
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

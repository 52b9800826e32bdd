use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use uuid::Uuid;

use super::ScopeSet;
use super::rate_limits::Bucket;
use super::usage::UseCounter;
use crate::actor::Actor;
use crate::http::parse_id;
use crate::store::KeyHash;
use ntro_base::Provider;

/// The expiry of a key that has none.
const NEVER: i64 = i64::MAX;

/// A live key in the cache.
pub(crate) struct CachedKey {
    pub(super) hash: KeyHash,
    pub(crate) id: Uuid,
    /// The key whose child it is, if it is one.
    pub(crate) parent: Option<Uuid>,
    pub(crate) tenant: Arc<CachedTenant>,
    pub(crate) provider: Provider,
    pub(crate) scopes: ScopeSet,
    /// The rendered answer to the identity request of the key's provider; renames alone
    /// change it. Copied for each answer: a shared buffer's count would cost one more memory access.
    pub(crate) identity_response: Box<[u8]>,
    pub(super) is_paused: bool,
    pub(super) expires_at: i64,
    /// Set when the key is first refused as expired, so that a clock set back cannot revive it.
    pub(super) expired: AtomicBool,
    pub(super) bucket: Bucket,
    pub(super) uses: UseCounter,
}

impl CachedKey {
    /// Returns the actor of a key that acts on itself.
    pub(crate) const fn actor(&self) -> Actor {
        Actor::Key(self.id)
    }

    /// Returns the time in a field of this type.
    pub(super) fn expiry(at: Option<Timestamp>) -> i64 {
        at.map_or(NEVER, Timestamp::as_millisecond)
    }

    /// Returns when the key expires.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        let at = Some(self.expires_at).filter(|&at| at != NEVER)?;
        Timestamp::from_millisecond(at).ok()
    }

    /// Returns whether both entries have the same record.
    pub(super) fn has_same_record(&self, other: &Self) -> bool {
        self.expires_at == other.expires_at
            && self.is_paused == other.is_paused
            && self.identity_response == other.identity_response
    }

    /// Takes the state of use from the entry that this one replaces. The expired flag stays unless
    /// the expiry has changed.
    pub(super) fn inherit(&mut self, known: &Self) {
        self.uses = known.uses.continued();
        self.bucket.inherit(&known.bucket);
        *self.expired.get_mut() =
            self.expires_at == known.expires_at && known.expired.load(Ordering::Relaxed);
    }
}

/// A tenant in the cache.
pub(crate) struct CachedTenant {
    pub(crate) id: Uuid,
    pub(crate) organisation_id: Uuid,
    /// Never changes.
    pub(crate) slug: Box<str>,
    /// Read where an answer is rendered, never where a key is verified.
    pub(super) names: RwLock<TenantNames>,
    pub(super) active: AtomicBool,
    pub(super) bucket: Bucket,
}

/// The names of a tenant and of its organisation.
#[derive(Clone, Default)]
pub(crate) struct TenantNames {
    pub(crate) name: String,
    pub(crate) organisation: String,
}

impl CachedTenant {
    /// Returns whether `name` is the tenant's id or slug.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        name == &*self.slug || parse_id(name, "ws_") == Some(self.id)
    }

    /// Returns the present names.
    pub(crate) fn names(&self) -> TenantNames {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.clone()
    }

    pub(super) fn rename(&self, names: TenantNames) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names;
    }
}

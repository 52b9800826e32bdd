//! The authority as a whole.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::error::Error;
use super::files::DatabaseFiles;
use super::key_cache::{KeyCache, Use};
use super::oidc::Verifier;
use super::registry::{Registry, open_hasher};
use super::settings::{Database, Settings};
use super::store::{Member, Role, Sqlite};
use super::verify::rate_limits::{Buckets, ClientNetwork, RateLimitKey};

/// An authority that issues and verifies keys. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

/// What [`Authority`] shares.
struct Inner {
    registry: Registry,
    key_cache: Arc<KeyCache>,
    tokens: Verifier,
    failures: Buckets<ClientNetwork>,
    rate_limit_keys: Buckets<RateLimitKey>,
    /// Who was written down, with which role.
    seen: Mutex<HashMap<(Uuid, String), Role>>,
    settings: Settings,
    draining: AtomicBool,
}

impl Authority {
    /// Opens the registry to serve them, making them if they are missing, and loads every key.
    ///
    /// One process at a time serves a SQLite database.
    ///
    /// # Errors
    ///
    /// Fails when the database or a file beside it cannot be used or is not what it should be,
    /// when another process serves it, or when a setting makes no sense.
    pub fn open(database: &Database, settings: Settings) -> Result<Self, Error> {
        let Database::Sqlite(path) = database;
        let files = DatabaseFiles::beside(path);
        let hasher = open_hasher(&files)?;
        let key_cache = Arc::new(KeyCache::new(
            hasher.clone(),
            &settings.region,
            settings.limits.tenant_per_minute,
        ));
        let store = Arc::new(Sqlite::serve(&files, key_cache.clone())?);
        let registry = Registry::over(store, hasher, &files)?;
        let tokens = Verifier::new(&settings.issuers, &registry.jwks())?;
        Ok(Self(Arc::new(Inner {
            registry,
            key_cache,
            tokens,
            failures: Buckets::per_minute(settings.limits.failures_per_minute),
            rate_limit_keys: Buckets::per_minute(settings.limits.tenant_per_minute),
            seen: Mutex::default(),
            settings,
            draining: AtomicBool::new(false),
        })))
    }

    /// Returns the registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Returns whether requests should be sent here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.0.draining.load(Ordering::Relaxed) && self.0.registry.store().is_healthy()
    }

    /// Writes down when keys were last used, if any were since this last succeeded.
    ///
    /// # Errors
    ///
    /// Fails when the database cannot be written.
    pub async fn record_use(&self) -> Result<(), Error> {
        let uses = self.0.key_cache.uses();
        if !uses.is_empty() {
            let rows = uses.iter().map(Use::row).collect();
            self.0.registry.store().touch(rows).await?;
            self.0.key_cache.mark_recorded(&uses);
        }
        Ok(())
    }
}

impl Authority {
    /// Makes [`Authority::is_ready`] return false from now on.
    pub(super) fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn key_cache(&self) -> &KeyCache {
        &self.0.key_cache
    }

    pub(super) fn tokens(&self) -> &Verifier {
        &self.0.tokens
    }

    pub(super) fn failures(&self) -> &Buckets<ClientNetwork> {
        &self.0.failures
    }

    pub(super) fn rate_limit_keys(&self) -> &Buckets<RateLimitKey> {
        &self.0.rate_limit_keys
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Writes down that a person was seen, unless that was done before. No request is about this,
    /// so none fails for it: what could not be written is told to the log, and tried again the next
    /// time that the person is seen.
    pub(super) async fn record_member(&self, organisation: Uuid, member: Member) {
        let person = (organisation, member.user_id.clone());
        let role = member.role;
        if self.seen().get(&person) == Some(&role) {
            return;
        }
        match self
            .registry()
            .store()
            .record_member(organisation, member)
            .await
        {
            Ok(()) => {
                self.seen().insert(person, role);
            }
            Err(error) => tracing::error!(%error, "a member could not be recorded"),
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<(Uuid, String), Role>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The authority as a whole.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::actor::Actor;
use crate::admin_auth::{Fetcher, Verifier};
use crate::error::Error;
use crate::expiry_webhook::ExpirySender;
use crate::github_keys::GithubKeys;
use crate::identity_key::IdentityKey;
use crate::lease::ClockSource;
use crate::metrics::METRICS;
use crate::registry::Registry;
use crate::settings::{AuthoritySettings, Consistency, Database};
use crate::store::{KeyUsage, MemberRecord, Replication, Role};
use crate::verify::KeyCache;
use crate::verify::rate_limits::{Buckets, ClientNetwork, Exceeded, Limit, Policy, RateLimitKey};

/// The most keys whose uses are written in one transaction.
const USES_IN_BATCH: usize = 500;

/// After so many failures in a row, the webhook is out of reach for now.
const FAILURES_IN_A_ROW: u32 = 3;

/// An authority that issues and verifies keys. Cheap to clone: all clones share one state.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

/// A part of an authority.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// Why it does not work now.
    pub(crate) failure: Option<&'static str>,
}

/// The state of an [`Authority`].
struct Inner {
    /// As the authority itself uses it.
    registry: Registry,
    key_cache: Arc<KeyCache>,
    tokens: Verifier,
    github_keys: Option<GithubKeys>,
    identity_key: IdentityKey,
    failures: Buckets,
    rate_limits: Buckets,
    /// The recorded members, with their roles.
    seen: Mutex<HashMap<(Uuid, String), Role>>,
    /// Why the last checkpoints could not be signed.
    unsigned: Mutex<Vec<String>>,
    /// Sends warnings of keys that expire soon.
    expiry_sender: Option<ExpirySender>,
    /// How many keys expire within each number of days of the settings.
    expiring: Mutex<Vec<(u32, u64)>>,
    settings: AuthoritySettings,
    draining: AtomicBool,
}

impl Authority {
    /// Opens the registry to serve it, and loads every key; makes database and key material if they
    /// are missing.
    ///
    /// Only one process at a time serves a SQLite database.
    pub fn open(database: &Database, settings: AuthoritySettings) -> Result<Self, Error> {
        let key_material = &settings.key_material;
        let (registry, key_cache) =
            Registry::serve(database, key_material, Actor::System, |hasher, lease| {
                let key_cache = KeyCache::new(hasher, &settings.region, &settings.limits);
                match lease {
                    Some(lease) => key_cache.with_lease(lease, settings.consistency),
                    None => key_cache,
                }
            })?;
        let fetcher = Fetcher::new(settings.proxies.clone(), settings.roots.clone());
        let fetcher = Arc::new(fetcher);
        let tokens = Verifier::new(&settings.issuers, &fetcher, &registry.jwks())?;
        let github_keys = settings.github_keys.clone();
        let github_keys = github_keys
            .map(|url| GithubKeys::new(url, fetcher))
            .transpose()?;
        let identity_key = IdentityKey::open(&key_material.files(database)?)?;
        if registry.replication().is_some()
            && settings.consistency == Consistency::Lease
            && ClockSource::read().is_some_and(|source| source.stops_with_the_guest())
        {
            tracing::warn!(
                "the clock source stops while this machine is paused or migrated: its lease may \
                 last too long then"
            );
        }
        let buckets = |per_minute| Buckets::new(Limit::new(per_minute, key_cache.replicas()));
        let webhook = settings.expiry_webhook.as_ref();
        let expiry_sender =
            webhook.map(|one| one.sender(settings.proxies.clone(), settings.roots.clone()));
        Ok(Self(Arc::new(Inner {
            failures: buckets(settings.limits.failures_per_minute),
            rate_limits: buckets(settings.limits.tenant_per_minute),
            registry,
            key_cache,
            tokens,
            github_keys,
            identity_key,
            seen: Mutex::default(),
            unsigned: Mutex::default(),
            expiry_sender,
            expiring: Mutex::default(),
            settings,
            draining: AtomicBool::new(false),
        })))
    }

    /// Returns the registry, as `actor` uses it.
    #[must_use]
    pub fn registry(&self, actor: Actor) -> Registry {
        self.0.registry.acting_as(actor)
    }

    /// Returns whether the authority accepts requests now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.parts().iter().all(|part| part.failure.is_none())
    }

    /// Returns every part of the authority on which its readiness depends.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let part = |name, is_ok: bool, failure| Part {
            name,
            failure: (!is_ok).then_some(failure),
        };
        let lease = self.replication().map(|replication| {
            part(
                "lease",
                !replication.lease.is_zero(),
                "the database does not answer, or other servers have fenced this one",
            )
        });
        let parts = [
            part(
                "listener",
                !self.0.draining.load(Ordering::Relaxed),
                "the server is shutting down",
            ),
            part(
                "registry",
                self.is_healthy(),
                "changes cannot be written, or do not reach verification",
            ),
            part(
                "keys",
                self.0.key_cache.is_loaded(),
                "the keys are not loaded",
            ),
        ];
        parts.into_iter().chain(lease).collect()
    }

    /// Returns the state of this process among those that serve the database, if there may be
    /// several.
    pub(crate) fn replication(&self) -> Option<Replication> {
        self.0.registry.replication()
    }

    /// Returns whether changes can be written now.
    pub(crate) fn is_healthy(&self) -> bool {
        self.0.registry.is_healthy()
    }

    /// Runs the future of a request. Where memory may lack changes, asks the database first.
    pub(crate) async fn up_to_date<T>(&self, request: impl Future<Output = T>) -> T {
        if self.0.key_cache.answers_from_memory() {
            return request.await;
        }
        match self.0.registry.barrier().await {
            Some(passage) => passage.hold(request).await,
            // Verification refuses to answer.
            None => request.await,
        }
    }

    /// Records the uses of keys since the last success, in batches: other changes need not wait for
    /// all of them.
    pub async fn record_use(&self) -> Result<(), Error> {
        self.0.key_cache.collect_uses();
        loop {
            let taken = self.0.key_cache.take_uses(USES_IN_BATCH, None);
            if taken.is_empty() {
                return Ok(());
            }
            self.record(taken).await?;
        }
    }

    async fn record(&self, taken: Vec<KeyUsage>) -> Result<(), Error> {
        let written = self.0.registry.record_use(taken.clone()).await;
        self.0.key_cache.uses_recorded(taken, written.is_ok());
        written
    }

    /// Ends the keys that were to end when they are not used any more. Their last uses must be
    /// recorded before.
    pub async fn end_quiet_predecessors(&self) -> Result<(), Error> {
        let ended = self.0.registry.end_quiet_predecessors().await?;
        if ended > 0 {
            tracing::info!(
                ended,
                "replaced keys that were not used any more are revoked"
            );
        }
        Ok(())
    }

    /// Counts the keys that expire soon, for the metrics, and warns the webhook of each, once for
    /// each number of days of the settings.
    pub async fn warn_of_expiry(&self) -> Result<(), Error> {
        let mut days = self.0.settings.expiry_warnings.clone();
        days.sort_unstable();
        let mut counts = Vec::new();
        for &days in &days {
            counts.push((days, self.0.registry.expiring_keys(days).await?));
        }
        *lock(&self.0.expiring) = counts;
        let Some(sender) = &self.0.expiry_sender else {
            return Ok(());
        };
        let mut failures = 0;
        // The fewest days first: a key that is warned of so late needs no earlier warning.
        for days in days {
            loop {
                let claimed = self.0.registry.claim_expiry_warnings(days).await?;
                if claimed.is_empty() {
                    break;
                }
                for warning in claimed {
                    match sender.deliver(&warning).await {
                        Ok(()) => {
                            failures = 0;
                            let registry = &self.0.registry;
                            registry.record_expiry_warning(warning.key.id, days).await?;
                            METRICS.warnings_delivered.add(1);
                        }
                        Err(error) => {
                            METRICS.warnings_failed.add(1);
                            tracing::error!(
                                error,
                                key = %warning.key.id,
                                "the webhook was not warned of a key that expires"
                            );
                            failures += 1;
                            if failures == FAILURES_IN_A_ROW {
                                return Ok(());
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns how many keys expire within each number of days, when last counted.
    pub(crate) fn expiring(&self) -> Vec<(u32, u64)> {
        lock(&self.0.expiring).clone()
    }

    /// Signs checkpoints of the audit logs that have grown. An error is logged once.
    pub async fn sign_audit_logs(&self) {
        let errors = match self.0.registry.sign_audit_logs().await {
            Ok(errors) => errors,
            Err(error) => vec![error],
        };
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let mut last = lock(&self.0.unsigned);
        for error in errors.iter().filter(|error| !last.contains(error)) {
            tracing::error!(error, "a checkpoint could not be signed");
        }
        *last = errors;
    }
}

impl Authority {
    /// Records the uses of one key. An error is logged: the next record repeats it.
    pub(crate) async fn record_use_of(&self, key: Uuid) {
        self.0.key_cache.collect_uses();
        let taken = self.0.key_cache.take_uses(1, Some(key));
        if !taken.is_empty()
            && let Err(error) = self.record(taken).await
        {
            tracing::error!(%error, "the uses of a key could not be written");
        }
    }

    /// Makes [`Authority::is_ready`] return false from now on.
    pub(crate) fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Returns the public keys of the built-in issuer and of identity headers as a JSON Web Key Set.
    pub(crate) fn jwks(&self) -> serde_json::Value {
        let mut set = self.0.registry.jwks();
        if let Some(keys) = set["keys"].as_array_mut() {
            keys.push(self.0.identity_key.jwk());
        }
        set
    }

    pub(crate) fn identity_key(&self) -> &IdentityKey {
        &self.0.identity_key
    }

    /// Returns the public key of the audit logs as a JSON Web Key Set.
    pub(crate) fn audit_jwks(&self) -> serde_json::Value {
        self.0.registry.audit_jwks()
    }

    pub(crate) fn key_cache(&self) -> &KeyCache {
        &self.0.key_cache
    }

    pub(crate) fn tokens(&self) -> &Verifier {
        &self.0.tokens
    }

    /// Returns the keys that sign GitHub's reports, if they are accepted.
    pub(crate) fn github_keys(&self) -> Option<&GithubKeys> {
        self.0.github_keys.as_ref()
    }

    /// Takes a token from the bucket of an address whose request has failed to authenticate.
    pub(crate) fn take_failure(&self, source: IpAddr) -> Result<(), Exceeded> {
        let source = ClientNetwork::from(source);
        self.0.failures.take(Policy::Address, &source)
    }

    /// Takes a token from a bucket that is no tenant's.
    pub(crate) fn take(&self, key: &RateLimitKey<'_>) -> Result<(), Exceeded> {
        self.0.rate_limits.take(key.policy(), key)
    }

    pub(crate) fn settings(&self) -> &AuthoritySettings {
        &self.0.settings
    }

    /// Records a user of an organisation, unless that was done before. Never fails the request that
    /// shows the user: an error is logged, and the user's next request tries again.
    pub(crate) async fn record_member(
        &self,
        registry: &Registry,
        organisation: Uuid,
        member: MemberRecord,
    ) {
        let user = (organisation, member.user_id.clone());
        let role = member.role;
        if self.seen().get(&user) == Some(&role) {
            return;
        }
        match registry.record_member(organisation, member).await {
            Ok(()) => {
                self.seen().insert(user, role);
            }
            Err(error) => tracing::error!(%error, "a member could not be recorded"),
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<(Uuid, String), Role>> {
        lock(&self.0.seen)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

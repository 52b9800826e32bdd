use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher as StdHasher};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use uuid::Uuid;

use super::rate_limits::{Bucket, Exceeded, Limit, Policy, Replicas};
use super::tripwires::Tripwires;
use super::usage::{UsageLog, UseCounter};
use super::{CachedKey, CachedTenant, Hasher, ScopeSet, TenantNames, Verdict, VerifyRefusal};
use crate::http::identity_response;
use crate::lease::{Lease, Passage};
use crate::settings::{Consistency, Limits};
use crate::store::{
    ApiKeyRecord, Epoch, KeyHash, KeyUsage, RegistryChange, Subscriber, TenantRecord, TenantStatus,
    UseOutcome,
};
use ntro_base::{ParsedKey, Provider};

/// Enough that two threads seldom need the same lock.
const SHARDS: usize = 64;
/// The epoch of a cache without any changes yet.
const NEVER_LOADED: i64 = i64::MIN;

/// Uses the first bytes of a key's hash, which are evenly distributed, as its hash.
#[derive(Default)]
struct FirstBytes(u64);

impl StdHasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

/// A key in the cache, found by its hash. Only a pointer, so that the table is dense: a look-up's
/// cost is its memory accesses.
struct Entry(Arc<CachedKey>);

impl std::hash::Hash for Entry {
    fn hash<H: StdHasher>(&self, state: &mut H) {
        self.0.hash.hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash == other.0.hash
    }
}

impl Eq for Entry {}

impl Borrow<KeyHash> for Entry {
    fn borrow(&self) -> &KeyHash {
        &self.0.hash
    }
}

type Shard = HashSet<Entry, BuildHasherDefault<FirstBytes>>;

/// Every live key, in memory. The registry keeps it up to date; see [`Subscriber`].
pub(crate) struct KeyCache {
    hasher: Hasher,
    region: String,
    tenant_limit: Limit,
    key_limit: Limit,
    /// Those that share the limits.
    replicas: Arc<Replicas>,
    shards: Vec<RwLock<Shard>>,
    usage: UsageLog,
    tenants: RwLock<HashMap<Uuid, Arc<CachedTenant>>>,
    tripwires: Tripwires,
    /// The epoch of the last changes.
    epoch: AtomicI64,
    /// Where the registry has several replicas, the lease of this one. Without it, every change goes
    /// through this process.
    lease: Option<Arc<Lease>>,
    consistency: Consistency,
}

impl KeyCache {
    pub(crate) fn new(hasher: Hasher, region: &str, limits: &Limits) -> Self {
        let replicas = Arc::default();
        Self {
            hasher,
            region: region.to_owned(),
            tenant_limit: Limit::new(limits.tenant_per_minute, &replicas),
            key_limit: Limit::new(limits.key_per_minute, &replicas),
            replicas,
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            usage: UsageLog::default(),
            tenants: RwLock::default(),
            tripwires: Tripwires::default(),
            epoch: AtomicI64::new(NEVER_LOADED),
            lease: None,
            consistency: Consistency::Lease,
        }
    }

    /// Returns the lease that allows answers, if they need one.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        let lease = self.lease.as_deref();
        lease.filter(|_| self.consistency == Consistency::Lease)
    }

    /// Returns whether an answer is likely to need no [`Passage`].
    pub(crate) fn answers_from_memory(&self) -> bool {
        match (&self.lease, self.consistency) {
            (None, _) => true,
            (Some(lease), Consistency::Lease) => lease.holds(),
            (Some(_), Consistency::Barrier) => false,
        }
    }

    /// Answers only while a lease holds, or with a [`Passage`].
    pub(crate) fn with_lease(self, lease: Arc<Lease>, consistency: Consistency) -> Self {
        Self {
            lease: Some(lease),
            consistency,
            ..self
        }
    }

    /// Returns the number of replicas that share the limits.
    pub(crate) fn replicas(&self) -> &Arc<Replicas> {
        &self.replicas
    }

    /// Returns the number of live keys.
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter();
        let sizes = shards.map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len());
        sizes.sum()
    }

    /// Returns the epoch of the last changes.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Verifies a key for `provider`, and counts the request against its limit and its tenant's.
    /// Counts the uses that it refuses; the caller counts those that it accepts.
    pub(crate) fn verify(&self, text: &str, provider: Provider, now: Timestamp) -> Verdict {
        let verdict = self.recognise(text, provider, now);
        if let Verdict::Accepted(key) = &verdict
            && let Err(exceeded) = self.take(key)
        {
            self.record_refusal(key, UseOutcome::Limited);
            return Verdict::Refused(VerifyRefusal::Limited(exceeded));
        }
        verdict
    }

    fn take(&self, key: &CachedKey) -> Result<(), Exceeded> {
        self.key_limit.take(Policy::Key, &key.bucket)?;
        self.tenant_limit.take(Policy::Tenant, &key.tenant.bucket)
    }

    /// Verifies a key as [`KeyCache::verify`] does, without the limits.
    pub(crate) fn verify_unlimited(
        &self,
        text: &str,
        provider: Provider,
        now: Timestamp,
    ) -> Verdict {
        self.recognise(text, provider, now)
    }

    /// Counts the use of an accepted key. `agent` reads the request's `User-Agent`.
    pub(crate) fn record_use<'a>(
        &self,
        key: &Arc<CachedKey>,
        now: Timestamp,
        address: Option<IpAddr>,
        agent: impl FnOnce() -> Option<&'a str>,
    ) {
        self.usage.accepted(key, now, address, agent);
    }

    /// Counts the use of an accepted key that its endpoint refuses.
    pub(crate) fn record_refusal(&self, key: &CachedKey, outcome: UseOutcome) {
        self.usage.refused(key.id, outcome);
    }

    /// Returns the verdict on a key that the endpoint does not accept.
    pub(crate) fn refuse(&self, text: &str, now: Timestamp) -> Verdict {
        match ParsedKey::parse(text) {
            Some(parsed) => self.tripwires.verdict(text, parsed, now),
            None => Verdict::Refused(VerifyRefusal::Unknown),
        }
    }

    fn recognise(&self, text: &str, provider: Provider, now: Timestamp) -> Verdict {
        // The checksum refuses malformed keys before any hashing.
        let Some(parsed) = ParsedKey::parse(text) else {
            return Verdict::Refused(VerifyRefusal::Unknown);
        };
        if !self.is_loaded() {
            return Verdict::CannotSay;
        }
        let look_up = || self.look_up(text, parsed, provider, now);
        if self.lease.is_none() {
            return look_up();
        }
        match self.lease().and_then(|lease| lease.guard(look_up)) {
            Some(verdict) => verdict,
            None if Passage::is_held() => look_up(),
            None => Verdict::CannotSay,
        }
    }

    fn look_up(
        &self,
        text: &str,
        parsed: ParsedKey<'_>,
        provider: Provider,
        now: Timestamp,
    ) -> Verdict {
        if parsed.provider() != provider {
            return self.tripwires.verdict(text, parsed, now);
        }
        let Some(key) = self.find(self.hasher.hash(text)) else {
            // A key is never taken for a tripwire.
            return self.tripwires.verdict(text, parsed, now);
        };
        let now = now.as_millisecond();
        if now >= key.expires_at {
            key.expired.store(true, Ordering::Relaxed);
        }
        let (outcome, refusal) = if key.expired.load(Ordering::Relaxed) {
            (UseOutcome::Expired, VerifyRefusal::Unknown)
        } else if !key.tenant.active.load(Ordering::Acquire) {
            (UseOutcome::Suspended, VerifyRefusal::Suspended)
        } else if key.is_paused {
            (UseOutcome::Paused, VerifyRefusal::Paused)
        } else {
            return Verdict::Accepted(key);
        };
        self.record_refusal(&key, outcome);
        Verdict::Refused(refusal)
    }

    /// Returns whether the cache has the registry's keys.
    pub(crate) fn is_loaded(&self) -> bool {
        self.epoch.load(Ordering::Acquire) != NEVER_LOADED
    }

    /// Sets the last uses that are not recorded yet.
    pub(crate) fn add_last_use(&self, keys: &mut [ApiKeyRecord]) {
        self.usage.add_last_use(keys);
    }

    /// Collects the uses since the last call, for [`KeyCache::take_uses`].
    pub(crate) fn collect_uses(&self) {
        self.usage.collect(Timestamp::now());
    }

    /// Takes the collected uses of at most `most` keys, or those of one key, to record them.
    pub(crate) fn take_uses(&self, most: usize, only: Option<Uuid>) -> Vec<KeyUsage> {
        self.usage.take(most, only)
    }

    /// Ends what [`KeyCache::take_uses`] began. Uses that were not written are taken again.
    pub(crate) fn uses_recorded(&self, taken: Vec<KeyUsage>, is_written: bool) {
        self.usage.recorded(taken, is_written);
    }

    fn find(&self, hash: KeyHash) -> Option<Arc<CachedKey>> {
        self.shard(&hash)
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .map(|Entry(key)| key.clone())
    }

    fn shard(&self, hash: &KeyHash) -> &RwLock<Shard> {
        // The table uses the first bytes.
        &self.shards[usize::from(hash.0[31]) % SHARDS]
    }

    fn put_tenant(&self, row: &TenantRecord, organisation: String) {
        let active = row.status == TenantStatus::Active;
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let tenant = tenants.entry(row.id).or_insert_with(|| {
            Arc::new(CachedTenant {
                id: row.id,
                organisation_id: row.organisation_id,
                slug: row.slug.as_str().into(),
                names: RwLock::default(),
                active: AtomicBool::new(active),
                bucket: Bucket::default(),
            })
        });
        tenant.active.store(active, Ordering::Release);
        tenant.rename(TenantNames {
            name: row.name.clone(),
            organisation,
        });
    }

    fn put_key(&self, row: &ApiKeyRecord) {
        let mut shard = self
            .shard(&row.hash)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if row.revoked_at.is_some() {
            shard.take(&row.hash);
            return;
        }
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let Some(tenant) = tenants.get(&row.tenant_id) else {
            tracing::error!(key = %row.id, "a key of a tenant that is not in the registry");
            return;
        };
        let mut live = CachedKey {
            hash: row.hash,
            id: row.id,
            parent: row.parent,
            tenant: tenant.clone(),
            provider: row.provider,
            scopes: row.scopes.iter().collect::<ScopeSet>(),
            identity_response: identity_response(row, tenant, &self.region),
            is_paused: row.paused_at.is_some(),
            expires_at: CachedKey::expiry(row.expires_at),
            expired: AtomicBool::new(false),
            bucket: Bucket::default(),
            uses: UseCounter::default(),
        };
        if let Some(Entry(known)) = shard.get(&row.hash) {
            if live.has_same_record(known) {
                // The old entry stays: a verification under way may still record a use in it.
                return;
            }
            live.inherit(known);
        }
        shard.replace(Entry(Arc::new(live)));
    }
}

impl Subscriber for KeyCache {
    fn share(&self, replicas: NonZeroU32) {
        self.replicas.set(replicas);
    }

    fn apply(&self, Epoch(epoch): Epoch, changes: Vec<RegistryChange>) {
        // Older changes would bring back keys that are revoked since.
        if epoch < self.epoch.load(Ordering::Relaxed) {
            tracing::error!(epoch, "changes of an earlier epoch are ignored");
            return;
        }
        let mut tripwires = Vec::new();
        for change in changes {
            match change {
                RegistryChange::Tenant(row, organisation) => self.put_tenant(&row, organisation),
                RegistryChange::Key(row) => self.put_key(&row),
                RegistryChange::Tripwire(row) => tripwires.push(row),
            }
        }
        self.tripwires.put(&tripwires);
        self.epoch.store(epoch, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::registry::{MintedKey, NewApiKey, mint};
    use crate::store::DataPlatform;

    /// Returns a key cache with one key that expires a day after `made`.
    fn key_cache(made: Timestamp) -> (KeyCache, MintedKey) {
        let hasher = Hasher::new(&[7; 32]);
        let tenant = TenantRecord {
            id: Uuid::new_v4(),
            organisation_id: Uuid::new_v4(),
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            data_platform: DataPlatform::ManagedPostgres,
            data_platform_config_id: None,
            status: TenantStatus::Active,
            config: None,
            created_at: made,
            updated_at: made,
        };
        let new = NewApiKey {
            provider: Provider::Ntropii,
            environment: None,
            name: "CI".parse().unwrap(),
            scopes: Vec::new(),
            expires_in_days: Some(1),
            created_by: None,
            owner: None,
            may_rotate: true,
        };
        let minted = mint(&hasher, tenant.id, new, made).unwrap();
        let key_cache = KeyCache::new(hasher, "us", &Limits::OFF);
        let changes = vec![
            RegistryChange::Tenant(Box::new(tenant), "Acme".to_owned()),
            RegistryChange::Key(Box::new(minted.record.clone())),
        ];
        key_cache.apply(Epoch(1), changes);
        (key_cache, minted)
    }

    /// Returns the id of an accepted key, or why it is refused.
    fn decided(verdict: Verdict) -> Result<Uuid, VerifyRefusal> {
        match verdict {
            Verdict::Accepted(key) => Ok(key.id),
            Verdict::Refused(refusal) => Err(refusal),
            Verdict::Tripped(_) => panic!("there are no tripwires"),
            Verdict::CannotSay => panic!("the cache is loaded"),
        }
    }

    #[test]
    fn empty_cache_cannot_say() {
        let now = Timestamp::now();
        let (_, minted) = key_cache(now);
        let key_cache = KeyCache::new(Hasher::new(&[7; 32]), "us", &Limits::OFF);
        let verify = |key: &str| key_cache.verify(key, Provider::Ntropii, now);
        let key = minted.key.expose();
        assert!(matches!(verify(key), Verdict::CannotSay));
        let unlimited = key_cache.verify_unlimited(key, Provider::Ntropii, now);
        assert!(matches!(unlimited, Verdict::CannotSay));
        // Malformed keys need no look-up.
        assert_eq!(decided(verify("ntro_")), Err(VerifyRefusal::Unknown));
        key_cache.apply(Epoch(0), Vec::new());
        assert_eq!(decided(verify(key)), Err(VerifyRefusal::Unknown));
    }

    #[test]
    fn cache_answers_within_its_lease() {
        use std::sync::atomic::AtomicU64;

        use crate::lease::{BootClock, BootTime};

        struct TestClock(AtomicU64);

        impl BootClock for TestClock {
            fn now(&self) -> BootTime {
                BootTime(self.0.load(Ordering::Relaxed))
            }
        }

        let now = Timestamp::now();
        let (key_cache, minted) = key_cache(now);
        let clock = Arc::new(TestClock(AtomicU64::new(100)));
        let lease = Arc::new(Lease::new(clock.clone() as Arc<dyn BootClock>));
        let key_cache = key_cache.with_lease(lease.clone(), Consistency::Lease);
        let key = minted.key.expose();
        let cannot_say = |key: &str| {
            let verdict = key_cache.verify(key, Provider::Ntropii, now);
            let unlimited = key_cache.verify_unlimited(key, Provider::Ntropii, now);
            assert!(
                matches!(unlimited, Verdict::CannotSay) == matches!(verdict, Verdict::CannotSay)
            );
            matches!(verdict, Verdict::CannotSay)
        };
        let unknown = mint_unknown(now);
        assert!(cannot_say(key));
        lease.extend(BootTime(200));
        assert!(!cannot_say(key));
        assert!(!cannot_say(&unknown));
        clock.0.store(200, Ordering::Relaxed);
        // A key that is not in memory may have been created elsewhere.
        assert!(cannot_say(key) && cannot_say(&unknown));
        assert!(!cannot_say("ntro_"));
        lease.extend(BootTime(300));
        assert!(!cannot_say(key));
        lease.end_now();
        assert!(cannot_say(key));
    }

    /// Returns a well-formed key that no cache has.
    fn mint_unknown(now: Timestamp) -> String {
        let (_, minted) = key_cache(now);
        minted.key.expose().to_owned()
    }

    #[test]
    fn expired_key_stays_expired() {
        let made: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (key_cache, minted) = key_cache(made);
        let at = |millis: i64| {
            let now = made + SignedDuration::from_hours(24) + SignedDuration::from_millis(millis);
            decided(key_cache.verify(minted.key.expose(), Provider::Ntropii, now))
        };
        assert_eq!(at(-1), Ok(minted.record.id));
        assert_eq!(at(0), Err(VerifyRefusal::Unknown));
        assert_eq!(at(1), Err(VerifyRefusal::Unknown));
        assert_eq!(at(-1), Err(VerifyRefusal::Unknown));
    }

    #[test]
    fn replaced_entry_keeps_its_use() {
        let made: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (key_cache, minted) = key_cache(made);
        let row = minted.record.clone();
        let again = |row: &ApiKeyRecord| {
            let change = RegistryChange::Key(Box::new(row.clone()));
            key_cache.apply(Epoch(1), vec![change]);
        };
        let is_good = |at| {
            let verdict = key_cache.verify(minted.key.expose(), Provider::Ntropii, at);
            if let Verdict::Accepted(key) = &verdict {
                key_cache.record_use(key, at, None, || None);
            }
            decided(verdict).is_ok()
        };
        let recorded = || {
            key_cache.collect_uses();
            let taken = key_cache.take_uses(10, None);
            key_cache.uses_recorded(taken.clone(), true);
            taken
        };
        let last_use = || {
            let mut rows = [row.clone()];
            key_cache.add_last_use(&mut rows);
            let [row] = rows;
            row.last_used_at
        };
        let soon = made + SignedDuration::from_secs(1);
        assert!(is_good(soon));
        again(&row);
        assert_eq!(last_use(), Some(soon));
        let uses = recorded();
        assert_eq!(uses[0].key, row.id);
        assert_eq!(uses[0].last.as_ref().unwrap().at, soon);
        again(&row);
        assert!(recorded().is_empty());
        // Only another expiry revives the key, not a clock set back.
        let end = made + SignedDuration::from_hours(24);
        assert!(!is_good(end));
        again(&row);
        assert!(!is_good(soon));
        let renamed = ApiKeyRecord {
            name: "Renamed".parse().unwrap(),
            ..row.clone()
        };
        again(&renamed);
        assert!(!is_good(soon));
        let prolonged = ApiKeyRecord {
            expires_at: Some(end + SignedDuration::from_hours(24)),
            ..row.clone()
        };
        again(&prolonged);
        let refused = recorded();
        assert_eq!(refused[0].last, None);
        assert_eq!(refused[0].counts[0].outcome, UseOutcome::Expired);
        assert_eq!(refused[0].counts[0].times, 3);
        assert!(recorded().is_empty());
        assert!(is_good(end));
        // A use within a second of the last one is only counted.
        assert!(is_good(end + SignedDuration::from_millis(999)));
        assert_eq!(last_use(), Some(end));
        assert_eq!(recorded()[0].counts[0].times, 2);
    }

    #[test]
    fn key_verifies_whole_and_for_its_provider() {
        let now = Timestamp::now();
        let (key_cache, minted) = key_cache(now);
        let key = minted.key.expose();
        let verify = |key: &str, provider| decided(key_cache.verify(key, provider, now));
        assert_eq!(verify(key, Provider::Ntropii), Ok(minted.record.id));
        assert_eq!(verify(key, Provider::Ontora), Err(VerifyRefusal::Unknown));
        for length in 0..key.len() {
            assert!(verify(&key[..length], Provider::Ntropii).is_err());
        }
    }

    #[test]
    fn earlier_epoch_revives_no_key() {
        let now = Timestamp::now();
        let (key_cache, minted) = key_cache(now);
        let put = |epoch: i64, revoked_at| {
            let row = ApiKeyRecord {
                revoked_at,
                ..minted.record.clone()
            };
            key_cache.apply(Epoch(epoch), vec![RegistryChange::Key(Box::new(row))]);
            decided(key_cache.verify(minted.key.expose(), Provider::Ntropii, now)).is_ok()
        };
        assert!(put(4, None));
        assert!(!put(5, Some(now)));
        assert!(!put(4, None));
    }
}

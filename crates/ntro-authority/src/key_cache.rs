//! The key key cache: what may be accepted, in memory, and the verification of keys.
//!
//! The registry feed it (see [`Subscriber`]); nothing here waits for anything but a shard's lock.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher as StdHasher};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::http::render;
use super::keys::Hasher;
use super::store::{Change, Key, KeyHash, Subscriber, Tenant, TenantStatus};
use super::verify::rate_limits::Bucket;
use ntro_base::{ParsedKey, Provider};

/// Enough that two threads seldom want the same lock.
const SHARDS: usize = 64;
const NEVER: i64 = i64::MAX;

/// A key that may be accepted.
pub(super) struct CachedKey {
    hash: KeyHash,
    pub(super) id: Uuid,
    pub(super) tenant: Arc<CachedTenant>,
    /// The answer to "who am I?" in the key's own dialect; it never changes. No counted buffer:
    /// its count would be one more place of memory to wait for than a copy is.
    pub(super) identity_response: Box<[u8]>,
    expires_at: i64,
    /// Set once the key was refused for its age, so that no clock turned back revives it.
    expired: AtomicBool,
    last_used: AtomicI64,
    last_recorded: AtomicI64,
}

/// A use of a key that is not recorded yet.
pub(super) struct Use {
    key: Arc<CachedKey>,
    at: Timestamp,
}

impl Use {
    /// Returns what is to be written down.
    pub(super) fn row(&self) -> (Uuid, Timestamp) {
        (self.key.id, self.at)
    }
}

impl CachedKey {
    /// A second apart is near enough, and spares a busy key the contention.
    fn record_use(&self, now: Timestamp) {
        let now = now.as_millisecond();
        if now - self.last_used.load(Ordering::Relaxed) >= 1_000 {
            self.last_used.store(now, Ordering::Relaxed);
        }
    }

    fn last_use(self: &Arc<Self>) -> Option<Use> {
        let at = self.last_used.load(Ordering::Relaxed);
        let is_new = at > self.last_recorded.load(Ordering::Relaxed);
        let at = Timestamp::from_millisecond(at).ok().filter(|_| is_new)?;
        Some(Use {
            key: self.clone(),
            at,
        })
    }

    /// Whether the registry say the same of both.
    fn is_like(&self, other: &Self) -> bool {
        self.expires_at == other.expires_at && self.identity_response == other.identity_response
    }

    /// Takes over what the use of the key has taught, from the entry that this one replaces. That
    /// its end has come is forgotten with that end alone.
    fn learn_from(&mut self, known: &Self) {
        let newer = |own: &mut AtomicI64, known: &AtomicI64| {
            let own = own.get_mut();
            *own = known.load(Ordering::Relaxed).max(*own);
        };
        newer(&mut self.last_used, &known.last_used);
        newer(&mut self.last_recorded, &known.last_recorded);
        *self.expired.get_mut() =
            self.expires_at == known.expires_at && known.expired.load(Ordering::Relaxed);
    }
}

/// A tenant that keys belong to.
pub(super) struct CachedTenant {
    pub(super) id: Uuid,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) organisation_id: Uuid,
    active: AtomicBool,
    bucket: Bucket,
}

/// Why a key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VerifyRefusal {
    /// Garbage, unknown, revoked, expired, or of the other provider: all the same to the caller.
    Unknown,
    /// The key is good, its tenant is not active.
    Suspended,
    /// The tenant's bucket is empty; some of it is back after this time.
    Limited(Duration),
}

/// The hash of a key is evenly spread already: its first bytes do.
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

/// A key in the key cache, found by its hash. A pointer alone, so that the key cache is dense: what a
/// look-up costs is waiting for memory.
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

/// All keys that may be accepted.
pub(super) struct KeyCache {
    hasher: Hasher,
    region: String,
    per_minute: u32,
    shards: Vec<RwLock<Shard>>,
    /// Revoked keys with a use that is not recorded yet.
    ended: Mutex<Vec<Arc<CachedKey>>>,
    tenants: RwLock<HashMap<Uuid, Arc<CachedTenant>>>,
}

impl KeyCache {
    pub(super) fn new(hasher: Hasher, region: &str, per_minute: u32) -> Self {
        Self {
            hasher,
            region: region.to_owned(),
            per_minute,
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            ended: Mutex::default(),
            tenants: RwLock::default(),
        }
    }

    /// Returns the key that `text` is, if it is accepted for `provider` now.
    pub(super) fn verify(
        &self,
        text: &str,
        provider: Provider,
        now: Timestamp,
    ) -> Result<Arc<CachedKey>, VerifyRefusal> {
        let key = self.recognise(text, provider, now)?;
        key.tenant.bucket.take().map_err(VerifyRefusal::Limited)?;
        key.record_use(now);
        Ok(key)
    }

    /// As [`KeyCache::verify`], whatever is left in the tenant's bucket.
    pub(super) fn verify_unlimited(
        &self,
        text: &str,
        provider: Provider,
        now: Timestamp,
    ) -> Result<Arc<CachedKey>, VerifyRefusal> {
        let key = self.recognise(text, provider, now)?;
        key.record_use(now);
        Ok(key)
    }

    fn recognise(
        &self,
        text: &str,
        provider: Provider,
        now: Timestamp,
    ) -> Result<Arc<CachedKey>, VerifyRefusal> {
        // Garbage is refused by its checksum, before any hashing.
        let parsed = ParsedKey::parse(text).ok_or(VerifyRefusal::Unknown)?;
        if parsed.provider() != provider {
            return Err(VerifyRefusal::Unknown);
        }
        let key = self
            .find(self.hasher.hash(text))
            .ok_or(VerifyRefusal::Unknown)?;
        let now = now.as_millisecond();
        if now >= key.expires_at {
            key.expired.store(true, Ordering::Relaxed);
        }
        if key.expired.load(Ordering::Relaxed) {
            return Err(VerifyRefusal::Unknown);
        }
        if !key.tenant.active.load(Ordering::Acquire) {
            return Err(VerifyRefusal::Suspended);
        }
        Ok(key)
    }

    /// Brings the times of last use up to date: the registry learn of them a little later.
    pub(super) fn add_last_use(&self, keys: &mut [Key]) {
        for key in keys {
            let Some(known) = self.find(key.hash).or_else(|| self.find_ended(key.hash)) else {
                continue;
            };
            let at = known.last_used.load(Ordering::Relaxed);
            if at > 0 {
                key.last_used_at = Timestamp::from_millisecond(at).ok();
            }
        }
    }

    /// Returns the uses of keys that are not recorded yet. They are told again until they are.
    pub(super) fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            uses.extend(shard.iter().filter_map(|Entry(key)| key.last_use()));
        }
        uses.extend(self.ended().iter().filter_map(CachedKey::last_use));
        uses
    }

    /// Remembers that uses are written down.
    pub(super) fn mark_recorded(&self, uses: &[Use]) {
        for Use { key, at } in uses {
            key.last_recorded
                .fetch_max(at.as_millisecond(), Ordering::Relaxed);
        }
        self.ended().retain(|key| key.last_use().is_some());
    }

    fn find(&self, hash: KeyHash) -> Option<Arc<CachedKey>> {
        self.shard(&hash)
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .map(|Entry(key)| key.clone())
    }

    fn find_ended(&self, hash: KeyHash) -> Option<Arc<CachedKey>> {
        let ended = self.ended();
        ended.iter().find(|key| key.hash == hash).cloned()
    }

    fn ended(&self) -> MutexGuard<'_, Vec<Arc<CachedKey>>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard(&self, hash: &KeyHash) -> &RwLock<Shard> {
        // The map uses the first bytes.
        &self.shards[usize::from(hash.0[31]) % SHARDS]
    }

    fn put_tenant(&self, row: &Tenant) {
        let active = row.status == TenantStatus::Active;
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let tenant = tenants.entry(row.id).or_insert_with(|| {
            Arc::new(CachedTenant {
                id: row.id,
                slug: row.slug.clone(),
                name: row.name.clone(),
                organisation_id: row.organisation_id,
                active: AtomicBool::new(active),
                bucket: Bucket::per_minute(self.per_minute),
            })
        });
        tenant.active.store(active, Ordering::Release);
    }

    fn put_key(&self, row: &Key) {
        let mut shard = self
            .shard(&row.hash)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if row.revoked_at.is_some() {
            if let Some(Entry(ended)) = shard.take(&row.hash)
                && ended.last_use().is_some()
            {
                self.ended().push(ended);
            }
            return;
        }
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let Some(tenant) = tenants.get(&row.tenant_id) else {
            tracing::error!(key = %row.id, "a key of a tenant that is not in the registry");
            return;
        };
        let last_used = row.last_used_at.map_or(0, Timestamp::as_millisecond);
        let mut live = CachedKey {
            hash: row.hash,
            id: row.id,
            tenant: tenant.clone(),
            identity_response: render::identity_response(row, tenant, &self.region),
            expires_at: row.expires_at.map_or(NEVER, Timestamp::as_millisecond),
            expired: AtomicBool::new(false),
            last_used: AtomicI64::new(last_used),
            last_recorded: AtomicI64::new(last_used),
        };
        if let Some(Entry(known)) = shard.get(&row.hash) {
            if live.is_like(known) {
                // The old entry stays: whoever verifies by it at this moment may yet note a use.
                return;
            }
            live.learn_from(known);
        }
        shard.replace(Entry(Arc::new(live)));
    }
}

impl Subscriber for KeyCache {
    fn apply(&self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Tenant(row) => self.put_tenant(&row),
                Change::Key(row) => self.put_key(&row),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::files::DatabaseFiles;
    use crate::keys::{self, MintedKey, NewKey};
    use crate::store::DataPlatform;

    /// A key cache with one key that lives for a day from `made` on.
    fn key_cache(made: Timestamp) -> (KeyCache, MintedKey) {
        let folder = tempfile::tempdir().unwrap();
        let files = DatabaseFiles::beside(&folder.path().join("registry.db"));
        let (hasher, _) = Hasher::open(&files, None).unwrap();
        let tenant = Tenant {
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
        let new = NewKey {
            provider: Provider::Ntropii,
            environment: None,
            name: "CI".parse().unwrap(),
            scopes: Vec::new(),
            expires_in_days: Some(1),
            created_by: None,
            may_rotate: true,
        };
        let minted = keys::mint(&hasher, tenant.id, new, made).unwrap();
        let key_cache = KeyCache::new(hasher, "us", 0);
        key_cache.apply(vec![
            Change::Tenant(Box::new(tenant)),
            Change::Key(Box::new(minted.record.clone())),
        ]);
        (key_cache, minted)
    }

    #[test]
    fn a_key_ends_to_the_millisecond_and_no_clock_turned_back_revives_it() {
        let made: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (key_cache, minted) = key_cache(made);
        let at = |millis: i64| {
            let now = made + SignedDuration::from_hours(24) + SignedDuration::from_millis(millis);
            let verified = key_cache.verify(minted.key.expose(), Provider::Ntropii, now);
            verified.map(|key| key.id)
        };
        assert_eq!(at(-1), Ok(minted.record.id));
        assert_eq!(at(0), Err(VerifyRefusal::Unknown));
        assert_eq!(at(1), Err(VerifyRefusal::Unknown));
        assert_eq!(at(-1), Err(VerifyRefusal::Unknown));
    }

    #[test]
    fn a_key_that_is_handed_over_again_keeps_what_its_use_has_taught() {
        let made: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (key_cache, minted) = key_cache(made);
        let row = minted.record.clone();
        let again = |row: &Key| key_cache.apply(vec![Change::Key(Box::new(row.clone()))]);
        let is_good = |at| {
            key_cache
                .verify(minted.key.expose(), Provider::Ntropii, at)
                .is_ok()
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
        let uses = key_cache.uses();
        assert_eq!(uses[0].row(), (row.id, soon));
        key_cache.mark_recorded(&uses);
        again(&row);
        assert!(key_cache.uses().is_empty());
        // A clock turned back revives nothing, another end does.
        let end = made + SignedDuration::from_hours(24);
        assert!(!is_good(end));
        again(&row);
        assert!(!is_good(soon));
        let renamed = Key {
            name: "Renamed".parse().unwrap(),
            ..row.clone()
        };
        again(&renamed);
        assert!(!is_good(soon));
        let prolonged = Key {
            expires_at: Some(end + SignedDuration::from_hours(24)),
            ..row.clone()
        };
        again(&prolonged);
        assert_eq!(last_use(), Some(soon));
        assert!(key_cache.uses().is_empty());
        assert!(is_good(end));
    }

    #[test]
    fn a_key_is_good_in_its_own_dialect_and_whole_only() {
        let now = Timestamp::now();
        let (key_cache, minted) = key_cache(now);
        let key = minted.key.expose();
        let verify = |key: &str, provider| key_cache.verify(key, provider, now).map(|key| key.id);
        assert_eq!(verify(key, Provider::Ntropii), Ok(minted.record.id));
        assert_eq!(verify(key, Provider::Ontora), Err(VerifyRefusal::Unknown));
        for length in 0..key.len() {
            assert!(verify(&key[..length], Provider::Ntropii).is_err());
        }
    }
}

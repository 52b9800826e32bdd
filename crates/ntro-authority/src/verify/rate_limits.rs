//! Rate limits, as token buckets.
//!
//! A bucket is one number, the time at which it is full again: a key's costs eight bytes. Buckets of
//! other callers are in a table of fixed size, so that no number of addresses uses up the memory.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

/// The time in which an empty bucket refills.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

/// The limits that a request may exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Requests of a tenant's keys.
    Tenant,
    /// Requests of a key.
    Key,
    /// Requests of an organisation's users.
    Organisation,
    /// Requests of a user of no known organisation.
    User,
    /// Requests of a caller that take something away.
    Revocation,
    /// Failed authentications from an address.
    Address,
}

impl Policy {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
            Self::Organisation => "organisation",
            Self::User => "user",
            Self::Revocation => "revocation",
            Self::Address => "address",
        }
    }
}

/// A limit that a request has exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) policy: Policy,
    /// Requests a minute, over all replicas.
    pub(crate) per_minute: NonZeroU32,
    /// The next request may come after this time.
    pub(crate) wait: Duration,
}

/// The number of replicas that share each limit.
pub(crate) struct Replicas(AtomicU32);

impl Default for Replicas {
    fn default() -> Self {
        Self(AtomicU32::new(1))
    }
}

impl Replicas {
    /// Sets the number of live replicas, this one included. Buckets keep what was taken from them.
    pub(crate) fn set(&self, live: NonZeroU32) {
        self.0.store(live.get(), Ordering::Relaxed);
    }
}

/// A time, in nanoseconds since the process first asked.
#[derive(Clone, Copy)]
struct Nanos(u64);

impl Nanos {
    fn now() -> Self {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        Self::of(START.elapsed())
    }

    fn of(time: Duration) -> Self {
        Self(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// A number of requests a minute, all of which may come together.
pub(crate) struct Limit {
    /// `None` is no limit.
    per_minute: Option<NonZeroU32>,
    replicas: Arc<Replicas>,
}

impl Limit {
    /// Creates a limit; 0 is none.
    pub(crate) fn new(per_minute: u32, replicas: &Arc<Replicas>) -> Self {
        Self {
            per_minute: NonZeroU32::new(per_minute),
            replicas: Arc::clone(replicas),
        }
    }

    /// Takes a token from a bucket.
    pub(crate) fn take(&self, policy: Policy, bucket: &Bucket) -> Result<(), Exceeded> {
        let Some(per_minute) = self.per_minute else {
            return Ok(());
        };
        self.take_at(policy, per_minute, bucket, Nanos::now())
    }

    fn take_at(
        &self,
        policy: Policy,
        per_minute: NonZeroU32,
        Bucket(full_at): &Bucket,
        Nanos(now): Nanos,
    ) -> Result<(), Exceeded> {
        let Nanos(window) = Nanos::of(WINDOW);
        let live = u64::from(self.replicas.0.load(Ordering::Relaxed));
        let token = window * live / u64::from(per_minute.get());
        // A share is at least one token.
        let end = now + window.max(token);
        let take = |full_at: u64| Some(full_at.max(now) + token).filter(|&after| after <= end);
        let taken = full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(drop).map_err(|full_at| Exceeded {
            policy,
            per_minute,
            wait: Duration::from_nanos((full_at.max(now) + token).saturating_sub(end)),
        })
    }
}

/// The time at which a bucket is full again.
#[derive(Default)]
pub(crate) struct Bucket(AtomicU64);

impl Bucket {
    /// Takes as many tokens as were taken from the bucket that this one replaces.
    pub(super) fn inherit(&mut self, known: &Self) {
        let own = self.0.get_mut();
        *own = known.0.load(Ordering::Relaxed).max(*own);
    }
}

/// Sets of buckets, one of which a caller's hash selects.
const SETS: usize = 2_048;
/// Buckets in a set.
const WAYS: usize = 8;

/// Buckets of the callers seen last, in a table of fixed size.
///
/// A new caller takes the place of the one whose bucket is full first, *and that bucket*. So a
/// bucket never has more tokens than its caller is due, however many callers there are; if they
/// come faster than buckets refill, they share them.
pub(crate) struct Buckets {
    limit: Limit,
    hash: RandomState,
    sets: Vec<Mutex<[Slot; WAYS]>>,
}

#[derive(Default)]
struct Slot {
    /// The hash of the caller.
    caller: u64,
    bucket: Bucket,
}

impl Buckets {
    pub(crate) fn new(limit: Limit) -> Self {
        let sets = match limit.per_minute {
            Some(_) => SETS,
            None => 0,
        };
        Self {
            limit,
            hash: RandomState::new(),
            sets: (0..sets).map(|_| Mutex::default()).collect(),
        }
    }

    /// Takes a token from the bucket of a caller.
    pub(crate) fn take(&self, policy: Policy, caller: &impl Hash) -> Result<(), Exceeded> {
        if self.sets.is_empty() {
            return Ok(());
        }
        let caller = self.hash.hash_one(caller);
        let set = &self.sets[usize::from(caller as u16) % SETS];
        let mut slots = set.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots.iter().position(|slot| slot.caller == caller);
        let slot = known.unwrap_or_else(|| {
            let full_at = |&at: &usize| slots[at].bucket.0.load(Ordering::Relaxed);
            (0..WAYS).min_by_key(full_at).unwrap_or_default()
        });
        let slot = &mut slots[slot];
        slot.caller = caller;
        self.limit.take(policy, &slot.bucket)
    }
}

/// The bucket of a request that does not take from its tenant's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RateLimitKey<'a> {
    /// All users of an organisation.
    Organisation(Uuid),
    /// A user whose token names no known organisation.
    Stranger(&'a str),
    /// A user who revokes: the organisation's other requests do not delay that.
    Revoker(&'a str),
    /// A key that revokes, with the path: another holder of the key cannot keep its owner from
    /// revoking it.
    RevokingKey(Uuid, &'a str),
    /// The children of a key, which revoke themselves, with the path.
    RevokingChildren(Uuid, &'a str),
}

impl RateLimitKey<'_> {
    pub(crate) const fn policy(&self) -> Policy {
        match self {
            Self::Organisation(_) => Policy::Organisation,
            Self::Stranger(_) => Policy::User,
            Self::Revoker(_) | Self::RevokingKey(..) | Self::RevokingChildren(..) => {
                Policy::Revocation
            }
        }
    }
}

/// The source of a request: an IPv4 address, or the 64-bit network of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientNetwork(IpAddr);

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                IpAddr::V6(network.into())
            }
            address => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// Takes a token at a time in milliseconds; returns the wait in milliseconds.
    fn take(limit: &Limit, bucket: &Bucket, millis: u64) -> Result<(), u128> {
        let now = Nanos::of(Duration::from_millis(millis));
        let taken = limit.take_at(Policy::Key, limit.per_minute.unwrap(), bucket, now);
        taken.map_err(|exceeded| exceeded.wait.as_millis())
    }

    fn limit(per_minute: u32) -> Limit {
        Limit::new(per_minute, &Arc::default())
    }

    #[test]
    fn bucket_holds_its_limit_and_refills() {
        for per_minute in [1, 2, 7, 60, 6_000] {
            let (limit, bucket) = (limit(per_minute), Bucket::default());
            let start = 5;
            for _ in 0..per_minute {
                assert_eq!(take(&limit, &bucket, start), Ok(()), "{per_minute}");
            }
            let wait = take(&limit, &bucket, start).unwrap_err();
            let token = u128::from(60_000 / per_minute);
            assert!((token - 1..=token).contains(&wait), "{per_minute}: {wait}");
            let later = start + u64::try_from(token).unwrap() + 1;
            assert_eq!(take(&limit, &bucket, later), Ok(()), "{per_minute}");
            assert!(take(&limit, &bucket, later).is_err(), "{per_minute}");
        }
        let unlimited = Limit::new(0, &Arc::default());
        let bucket = Bucket::default();
        assert!((0..1_000).all(|_| unlimited.take(Policy::Key, &bucket).is_ok()));
    }

    #[test]
    fn replicas_share_the_limit() {
        let replicas = Arc::new(Replicas::default());
        let limit = Limit::new(60, &replicas);
        let bucket = Bucket::default();
        let taken = |at| {
            (0..100)
                .filter(|_| take(&limit, &bucket, at).is_ok())
                .count()
        };
        assert_eq!(taken(0), 60);
        replicas.set(NonZeroU32::new(3).unwrap());
        // A third of the tokens, which takes as long to refill.
        assert_eq!(taken(60_000), 20);
        assert_eq!(taken(90_000), 10);
        replicas.set(NonZeroU32::new(600).unwrap());
        assert_eq!(taken(1_000_000), 1);
        assert_eq!(taken(1_500_000), 0);
        assert_eq!(taken(1_600_001), 1);
        replicas.set(NonZeroU32::MIN);
        assert_eq!(taken(9_000_000), 60);
    }

    #[test]
    fn sources_have_separate_buckets() {
        let buckets = Buckets::new(limit(1));
        let take = |text: &str| {
            let source = ClientNetwork::from(text.parse::<IpAddr>().unwrap());
            buckets.take(Policy::Address, &source)
        };
        assert!(take("192.0.2.1").is_ok());
        let refused = take("::ffff:192.0.2.1").unwrap_err();
        assert_eq!(refused.policy, Policy::Address);
        assert!(take("192.0.2.2").is_ok());
        assert!(take("2001:db8::1").is_ok());
        assert!(take("2001:db8::2").is_err());
        assert!(take("2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn many_callers_forget_no_taken_token() {
        let buckets = Buckets::new(limit(3));
        let take = |number: u32| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(number));
            buckets.take(Policy::Address, &ClientNetwork::from(address))
        };
        let allowed = (0..200_000).filter(|&number| take(number).is_ok()).count();
        // Every bucket is empty, apart from the tokens that time has added.
        let all = SETS * WAYS * 3;
        assert!((all..all + all / 2).contains(&allowed), "{allowed}");
        assert!((0..3).any(|_| take(0).is_err()));
    }
}

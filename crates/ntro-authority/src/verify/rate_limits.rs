//! Rate limits, as token buckets.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use uuid::Uuid;

/// The number of buckets above which full ones are dropped.
const MOST_BUCKETS: usize = 10_000;

/// One bucket.
pub(crate) struct Bucket(Option<DefaultDirectRateLimiter>);

impl Bucket {
    /// Creates a bucket that refills within a minute; with 0 tokens it has no limit.
    pub(crate) fn per_minute(tokens: u32) -> Self {
        Self(NonZeroU32::new(tokens).map(|tokens| RateLimiter::direct(Quota::per_minute(tokens))))
    }

    /// Takes a token, or returns the time until the next one.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        match &self.0 {
            None => Ok(()),
            Some(limiter) => limiter
                .check()
                .map_err(|until| until.wait_time_from(DefaultClock::default().now())),
        }
    }
}

/// One bucket for each key `K`.
pub(crate) struct Buckets<K: Hash + Eq + Clone>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Creates buckets that refill within a minute; with 0 tokens they have no limit.
    pub(crate) fn per_minute(tokens: u32) -> Self {
        Self(NonZeroU32::new(tokens).map(|tokens| RateLimiter::keyed(Quota::per_minute(tokens))))
    }

    /// Takes a token from the bucket of `key`, or returns the time until the next one.
    pub(crate) fn take(&self, key: &K) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        if limiter.len() > MOST_BUCKETS {
            limiter.retain_recent();
        }
        limiter
            .check_key(key)
            .map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }
}

/// The bucket of a request that does not take from its tenant's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RateLimitKey {
    /// All users of an organisation.
    Organisation(Uuid),
    /// A user whose token names no known organisation.
    Stranger(String),
    /// A user who revokes: the organisation's other requests do not delay that.
    Revoker(String),
    /// A key that revokes, with the path: another holder of the key cannot keep its owner from
    /// revoking it.
    RevokingKey(Uuid, String),
    /// The children of a key, which revoke themselves, with the path.
    RevokingChildren(Uuid, String),
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
    use super::*;

    #[test]
    fn empty_bucket_returns_the_wait() {
        let bucket = Bucket::per_minute(2);
        assert_eq!((bucket.take(), bucket.take()), (Ok(()), Ok(())));
        let wait = bucket.take().unwrap_err();
        assert!(wait <= Duration::from_secs(30), "{wait:?}");
        assert!((0..1_000).all(|_| Bucket::per_minute(0).take().is_ok()));
    }

    #[test]
    fn sources_have_separate_buckets() {
        let buckets = Buckets::per_minute(1);
        let source = |text: &str| ClientNetwork::from(text.parse::<IpAddr>().unwrap());
        assert!(buckets.take(&source("192.0.2.1")).is_ok());
        assert!(buckets.take(&source("::ffff:192.0.2.1")).is_err());
        assert!(buckets.take(&source("192.0.2.2")).is_ok());
        assert!(buckets.take(&source("2001:db8::1")).is_ok());
        assert!(buckets.take(&source("2001:db8::2")).is_err());
        assert!(buckets.take(&source("2001:db8:0:1::1")).is_ok());
    }
}

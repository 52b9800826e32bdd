//! Token buckets.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use uuid::Uuid;

/// How many sources are remembered before those whose buckets are full again are dropped.
const REMEMBERED: usize = 10_000;

/// One bucket.
pub(crate) struct Bucket(Option<DefaultDirectRateLimiter>);

impl Bucket {
    /// Makes a bucket of so many tokens, refilled within a minute; 0 never runs dry.
    pub(crate) fn per_minute(tokens: u32) -> Self {
        Self(NonZeroU32::new(tokens).map(|tokens| RateLimiter::direct(Quota::per_minute(tokens))))
    }

    /// Takes a token, or says when there is one again.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        match &self.0 {
            None => Ok(()),
            Some(limiter) => limiter
                .check()
                .map_err(|until| until.wait_time_from(DefaultClock::default().now())),
        }
    }
}

/// A bucket for each of many.
pub(crate) struct Buckets<K: Hash + Eq + Clone>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Makes buckets of so many tokens, refilled within a minute; 0 never runs dry.
    pub(crate) fn per_minute(tokens: u32) -> Self {
        Self(NonZeroU32::new(tokens).map(|tokens| RateLimiter::keyed(Quota::per_minute(tokens))))
    }

    /// Takes a token out of the bucket of `whose`, or says when there is one again.
    pub(crate) fn take(&self, whose: &K) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        if limiter.len() > REMEMBERED {
            limiter.retain_recent();
        }
        limiter
            .check_key(whose)
            .map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }
}

/// Whose bucket a request takes from, where that is not the bucket of a key's tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RateLimitKey {
    /// An organisation, for all its people.
    Organisation(Uuid),
    /// A person whose token names no organisation that is known.
    Stranger(String),
    /// A person who ends keys: no reading, whoever's it is, holds that up.
    Revoker(String),
    /// A key that ends keys, for each such request by itself: whoever else holds the key cannot
    /// keep its owner from ending it.
    RevokingKey(Uuid, String),
}

/// What counts as one source: an address, or the network of 64 bits that one IPv6 host owns.
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
    fn a_bucket_runs_dry_and_tells_for_how_long() {
        let bucket = Bucket::per_minute(2);
        assert_eq!((bucket.take(), bucket.take()), (Ok(()), Ok(())));
        let wait = bucket.take().unwrap_err();
        assert!(wait <= Duration::from_secs(30), "{wait:?}");
        assert!((0..1_000).all(|_| Bucket::per_minute(0).take().is_ok()));
    }

    #[test]
    fn one_source_does_not_empty_the_bucket_of_another() {
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

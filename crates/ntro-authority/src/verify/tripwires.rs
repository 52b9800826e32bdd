use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;

use super::{Verdict, VerifyRefusal};
use crate::store::{TokenHash, Trip, TripwireRecord};
use ntro_base::ParsedKey;

/// The milliseconds from one record of a tripwire to the next: a flood of one token is one record a
/// minute.
const BETWEEN_RECORDS: i64 = 60_000;

/// The live tripwires, in memory. Only a text that looks like a proxy's token, and is no key, is
/// looked up here.
#[derive(Default)]
pub(super) struct Tripwires(RwLock<HashMap<TokenHash, CachedTripwire>>);

struct CachedTripwire {
    expires_at: i64,
    last_recorded: AtomicI64,
    /// The presentations that are not recorded yet.
    times: AtomicU32,
}

impl Tripwires {
    /// Adds tripwires, or changes their expiry. Drops the expired ones.
    pub(super) fn put(&self, rows: &[TripwireRecord]) {
        if rows.is_empty() {
            return;
        }
        let now = Timestamp::now().as_millisecond();
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            let expires_at = row.expires_at.as_millisecond();
            all.entry(row.hash)
                .or_insert_with(|| CachedTripwire {
                    expires_at,
                    last_recorded: AtomicI64::new(i64::MIN),
                    times: AtomicU32::new(0),
                })
                .expires_at = expires_at;
        }
        all.retain(|_, tripwire| tripwire.expires_at > now);
    }

    /// Returns the verdict on a text that is no key.
    pub(super) fn verdict(&self, text: &str, parsed: ParsedKey<'_>, now: Timestamp) -> Verdict {
        const UNKNOWN: Verdict = Verdict::Refused(VerifyRefusal::Unknown);
        if !parsed.is_one_off() {
            return UNKNOWN;
        }
        let hash = hash_of(text);
        let now = now.as_millisecond();
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(tripwire) = all.get(&hash).filter(|one| one.expires_at > now) else {
            return UNKNOWN;
        };
        Verdict::Tripped(tripwire.due(now).map(|times| Trip {
            hash,
            prefix: parsed.prefix().to_owned(),
            source: None,
            times,
        }))
    }
}

fn hash_of(token: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    TokenHash(hash)
}

impl CachedTripwire {
    /// Counts a presentation. Returns how many there were since the last record, if the next one is
    /// due.
    fn due(&self, now: i64) -> Option<u32> {
        self.times.fetch_add(1, Ordering::Relaxed);
        let last = self.last_recorded.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(last) >= BETWEEN_RECORDS
            && self
                .last_recorded
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        is_due.then(|| self.times.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use ntro_base::{IssuedKey, KeyEnvironment, Provider};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn expired_tripwire_is_unknown() {
        let environment = KeyEnvironment::one_off();
        let issued = IssuedKey::generate(Provider::Ntropii, &environment, aws_lc_rs::rand::fill);
        let token = issued.unwrap().key;
        let end = Timestamp::now() + SignedDuration::from_mins(1);
        let record = |token: &str, expires_at| TripwireRecord {
            hash: hash_of(token),
            key: Uuid::nil(),
            expires_at,
        };
        let tripwires = Tripwires::default();
        tripwires.put(&[
            record("expired", Timestamp::UNIX_EPOCH),
            record(token.expose(), end),
        ]);
        assert_eq!(tripwires.0.read().unwrap().len(), 1);
        let verdict = |now| {
            let parsed = ParsedKey::parse(token.expose()).unwrap();
            tripwires.verdict(token.expose(), parsed, now)
        };
        let before = end - SignedDuration::from_millis(1);
        assert!(matches!(verdict(before), Verdict::Tripped(Some(_))));
        assert!(matches!(
            verdict(end),
            Verdict::Refused(VerifyRefusal::Unknown)
        ));
    }
}

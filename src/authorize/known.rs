use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;

use super::AuthorizedKey;

/// The most keys that are known at one time.
const MOST: usize = 1_024;
/// Longer than any lease.
const LONGEST: Duration = Duration::from_secs(10);

/// The keys whose answers may still be used.
#[derive(Default)]
pub(super) struct KnownKeys(Mutex<HashMap<Vec<u8>, Known>>);

struct Known {
    key: AuthorizedKey,
    asked: Moment,
    valid_for: Duration,
}

/// A moment on both clocks: one stops while the machine sleeps, the other may be set.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// Returns whether less time than this has passed, by both clocks.
    fn is_within(self, limit: Duration) -> bool {
        let by_wall = self.wall.elapsed();
        self.monotonic.elapsed() < limit && by_wall.is_ok_and(|elapsed| elapsed < limit)
    }
}

impl Known {
    fn is_valid(&self) -> bool {
        self.asked.is_within(self.valid_for)
    }
}

impl KnownKeys {
    /// Returns the key with these credentials, if its answer is still valid.
    pub(super) fn find(&self, credentials: &HeaderMap) -> Option<AuthorizedKey> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(&name(credentials))?;
        known.is_valid().then(|| known.key.clone())
    }

    /// Keeps an answer to a question that was sent at `asked`.
    pub(super) fn keep(
        &self,
        credentials: &HeaderMap,
        key: &AuthorizedKey,
        asked: Moment,
        valid_for: Duration,
    ) {
        let valid_for = valid_for.min(LONGEST);
        if !asked.is_within(valid_for) {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, known| known.is_valid());
        }
        if known.len() < MOST {
            let key = key.clone();
            let entry = Known {
                key,
                asked,
                valid_for,
            };
            known.insert(name(credentials), entry);
        }
    }
}

/// Returns the credentials in one text. No header has a line end in its value.
fn name(credentials: &HeaderMap) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in credentials {
        text.extend_from_slice(name.as_str().as_bytes());
        text.push(b'\n');
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    text
}

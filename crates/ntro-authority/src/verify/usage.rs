//! The uses of keys, in memory until they are recorded.
//!
//! A verification pays an addition to a counter of its key, and once a second for each key the time,
//! the address and the program of the use. Nothing is allocated, except for the first use of a key
//! after a record, where a list may grow.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;
use uuid::Uuid;

use super::CachedKey;
use crate::store::{ApiKeyRecord, KeyUsage, LastUse, UseCount, UseOutcome, hour_of};

/// Enough that two threads seldom need the same lock.
const SHARDS: usize = 16;
/// The most programs that are remembered from one record to the next.
const MOST_AGENTS: usize = 1_024;
/// The most characters of a program's name that are kept.
const LONGEST_AGENT: usize = 256;
/// The milliseconds from one last use to the next: that spares a busy key the contention.
const BETWEEN_USES: i64 = 1_000;

/// The uses of a key since they were last collected.
#[derive(Default)]
pub(super) struct UseCounter {
    accepted: AtomicU32,
    last: AtomicI64,
    origin: Mutex<Origin>,
}

/// Where a use came from.
#[derive(Clone, Copy, Default)]
struct Origin {
    address: Option<IpAddr>,
    agent: Option<AgentId>,
}

impl UseCounter {
    /// Returns a counter that goes on where another one is.
    pub(super) fn continued(&self) -> Self {
        Self {
            accepted: AtomicU32::new(0),
            last: AtomicI64::new(self.last.load(Ordering::Relaxed)),
            origin: Mutex::new(*lock(&self.origin)),
        }
    }
}

/// The uses of all keys since they were last recorded.
#[derive(Default)]
pub(super) struct UsageLog {
    shards: [Mutex<Shard>; SHARDS],
    agents: Agents,
    collected: Mutex<Collected>,
}

#[derive(Default)]
struct Shard {
    /// The keys whose counter is not 0.
    used: Vec<Arc<CachedKey>>,
    refused: HashMap<(Uuid, UseOutcome), u32>,
}

/// Collected uses.
#[derive(Default)]
struct Collected {
    /// The uses to be recorded next.
    due: HashMap<Uuid, KeyUsage>,
    /// The uses that are being recorded.
    in_hand: HashMap<Uuid, KeyUsage>,
}

impl UsageLog {
    /// Counts an accepted use. `agent` reads the request's `User-Agent`.
    pub(super) fn accepted<'a>(
        &self,
        key: &Arc<CachedKey>,
        now: Timestamp,
        address: Option<IpAddr>,
        agent: impl FnOnce() -> Option<&'a str>,
    ) {
        let counter = &key.uses;
        let is_first = counter.accepted.fetch_add(1, Ordering::Relaxed) == 0;
        let now = now.as_millisecond();
        if now - counter.last.load(Ordering::Relaxed) >= BETWEEN_USES {
            counter.last.store(now, Ordering::Relaxed);
            // A thread that holds it sets it for the same second.
            if let Ok(mut origin) = counter.origin.try_lock() {
                *origin = Origin {
                    address,
                    agent: agent().map(|agent| self.agents.id(agent)),
                };
            }
        }
        if is_first {
            self.shard(key.id).used.push(key.clone());
        }
    }

    /// Counts a refused use.
    pub(super) fn refused(&self, key: Uuid, outcome: UseOutcome) {
        let mut shard = self.shard(key);
        let times = shard.refused.entry((key, outcome)).or_default();
        *times = times.saturating_add(1);
    }

    fn shard(&self, key: Uuid) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(key.as_bytes()[15]) % SHARDS])
    }

    /// Moves all counts into the collection, to be recorded next.
    pub(super) fn collect(&self, now: Timestamp) {
        drop(self.collected(now));
    }

    fn collected(&self, now: Timestamp) -> MutexGuard<'_, Collected> {
        let mut collected = lock(&self.collected);
        let mut used = Vec::new();
        for shard in &self.shards {
            let refused = {
                let mut shard = lock(shard);
                // The list keeps its capacity.
                used.append(&mut shard.used);
                std::mem::take(&mut shard.refused)
            };
            for ((key, outcome), times) in refused {
                collected.add(key, now, outcome, times);
            }
            for key in used.drain(..) {
                self.collect_key(&mut collected, &key);
            }
        }
        self.agents.turn();
        collected
    }

    fn collect_key(&self, collected: &mut Collected, key: &CachedKey) {
        let times = key.uses.accepted.swap(0, Ordering::Relaxed);
        let last = key.uses.last.load(Ordering::Relaxed);
        let Ok(at) = Timestamp::from_millisecond(last) else {
            return;
        };
        let Origin { address, agent } = *lock(&key.uses.origin);
        collected.add(key.id, at, UseOutcome::Accepted, times);
        let usage = collected.usage(key.id);
        if usage.last.as_ref().is_none_or(|known| known.at < at) {
            usage.last = Some(LastUse {
                at,
                address,
                agent: agent.and_then(|agent| self.agents.name(agent)),
            });
        }
    }

    /// Sets the last uses of keys that may not be recorded yet.
    pub(super) fn add_last_use(&self, keys: &mut [ApiKeyRecord]) {
        let collected = self.collected(Timestamp::now());
        for key in keys {
            let last = collected.last_use(key.id);
            if let Some(last) = last.filter(|last| key.last_used_at.is_none_or(|at| at < last.at)) {
                key.used(last.clone());
            }
        }
    }

    /// Takes the collected uses of at most `most` keys to record them, or those of one key.
    pub(super) fn take(&self, most: usize, only: Option<Uuid>) -> Vec<KeyUsage> {
        let mut collected = lock(&self.collected);
        let ids: Vec<_> = match only {
            Some(id) => vec![id],
            None => collected.due.keys().copied().take(most).collect(),
        };
        let mut taken = Vec::new();
        for id in ids {
            if let Some(usage) = collected.due.remove(&id) {
                taken.push(usage.clone());
                match collected.in_hand.get_mut(&id) {
                    Some(other) => other.merge(usage),
                    None => {
                        collected.in_hand.insert(id, usage);
                    }
                }
            }
        }
        taken
    }

    /// Ends the record of uses: forgets them, or takes them back.
    pub(super) fn recorded(&self, taken: Vec<KeyUsage>, is_written: bool) {
        let mut collected = lock(&self.collected);
        for usage in taken {
            collected.in_hand.remove(&usage.key);
            if !is_written {
                collected.usage(usage.key).merge(usage);
            }
        }
    }
}

impl Collected {
    fn usage(&mut self, key: Uuid) -> &mut KeyUsage {
        self.due.entry(key).or_insert_with(|| KeyUsage {
            key,
            last: None,
            counts: Vec::new(),
        })
    }

    fn add(&mut self, key: Uuid, at: Timestamp, outcome: UseOutcome, times: u32) {
        if times > 0 {
            self.usage(key).add(UseCount {
                hour: hour_of(at),
                outcome,
                times: times.into(),
            });
        }
    }

    /// Returns the last use of a key that may not be recorded yet.
    fn last_use(&self, key: Uuid) -> Option<&LastUse> {
        let uses = [self.due.get(&key), self.in_hand.get(&key)];
        let last = uses
            .into_iter()
            .flatten()
            .filter_map(|usage| usage.last.as_ref());
        last.max_by_key(|last| last.at)
    }
}

impl KeyUsage {
    fn add(&mut self, count: UseCount) {
        let is_same = |one: &&mut UseCount| one.hour == count.hour && one.outcome == count.outcome;
        match self.counts.iter_mut().find(is_same) {
            Some(known) => known.times += count.times,
            None => self.counts.push(count),
        }
    }

    fn merge(&mut self, other: Self) {
        other.counts.into_iter().for_each(|count| self.add(count));
        if let Some(last) = other.last
            && self.last.as_ref().is_none_or(|known| known.at < last.at)
        {
            self.last = Some(last);
        }
    }
}

/// The hash of a program's name.
#[derive(Clone, Copy)]
struct AgentId(u64);

/// The names of programs, so that a key needs only the hash of one. A name is forgotten two records
/// after its last use.
#[derive(Default)]
struct Agents {
    hasher: RandomState,
    names: RwLock<AgentNames>,
}

#[derive(Default)]
struct AgentNames {
    current: HashMap<u64, Box<str>>,
    previous: HashMap<u64, Box<str>>,
}

impl Agents {
    fn id(&self, name: &str) -> AgentId {
        let name = name.get(..LONGEST_AGENT).unwrap_or(name);
        let id = self.hasher.hash_one(name);
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let is_known = names.current.contains_key(&id);
        drop(names);
        if !is_known {
            let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
            if names.current.len() < MOST_AGENTS {
                names.current.insert(id, name.into());
            }
        }
        AgentId(id)
    }

    fn name(&self, AgentId(id): AgentId) -> Option<String> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let name = names.current.get(&id).or_else(|| names.previous.get(&id));
        name.map(|name| name.to_string())
    }

    fn turn(&self) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.previous = std::mem::take(&mut names.current);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Uuid = Uuid::from_u128(7);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn times(taken: &[KeyUsage]) -> Vec<u64> {
        let counts = taken.iter().flat_map(|usage| &usage.counts);
        counts.map(|count| count.times).collect()
    }

    #[test]
    fn unwritten_uses_are_kept() {
        let log = UsageLog::default();
        log.refused(KEY, UseOutcome::Paused);
        log.collect(at(10));
        let taken = log.take(10, None);
        assert_eq!(times(&taken), [1]);
        assert!(log.take(10, None).is_empty());
        log.refused(KEY, UseOutcome::Paused);
        log.recorded(taken, false);
        log.collect(at(20));
        let taken = log.take(10, None);
        assert_eq!(times(&taken), [2]);
        log.recorded(taken, true);
        log.refused(KEY, UseOutcome::Paused);
        log.collect(at(3_600));
        let taken = log.take(10, None);
        assert_eq!(taken[0].counts[0].hour, at(3_600));
        assert_eq!(times(&taken), [1]);
    }

    #[test]
    fn uses_are_taken_in_parts() {
        let log = UsageLog::default();
        for key in 1..=25 {
            log.refused(Uuid::from_u128(key), UseOutcome::Expired);
        }
        log.collect(at(10));
        let only = log.take(10, Some(Uuid::from_u128(3)));
        assert_eq!(only.len(), 1);
        let sizes: Vec<_> = (0..4).map(|_| log.take(10, None).len()).collect();
        assert_eq!(sizes, [10, 10, 4, 0]);
    }

    #[test]
    fn agents_are_bounded_and_forgotten() {
        let agents = Agents::default();
        let curl = agents.id("curl/8");
        agents.turn();
        assert_eq!(agents.name(curl).as_deref(), Some("curl/8"));
        agents.turn();
        assert_eq!(agents.name(curl), None);
        for number in 0..MOST_AGENTS {
            agents.id(&number.to_string());
        }
        let more = agents.id("one more");
        assert_eq!(agents.name(more), None);
        let long = "x".repeat(LONGEST_AGENT + 1);
        agents.turn();
        let long = agents.id(&long);
        assert_eq!(agents.name(long).unwrap().len(), LONGEST_AGENT);
    }
}

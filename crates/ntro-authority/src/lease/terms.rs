use std::time::Duration;

use super::BootTime;

/// The lengths that all replicas of one database agree on. Every rule about time is here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    term: Duration,
    /// The most by which a clock may be faster or slower than real time, in percent.
    drift: u32,
}

impl Terms {
    /// Patience, term and margin together stay below the promised 2 s and 10 %.
    pub(crate) const DEFAULT: Self = Self::new(Duration::from_millis(1_800), 10);

    pub(crate) const fn new(term: Duration, drift: u32) -> Self {
        assert!(drift < 100);
        Self { term, drift }
    }

    /// Returns the end of a lease whose renewal was sent at `sent`, on the clock of the replica.
    ///
    /// The slowest clock reaches it one term later.
    pub(crate) fn lease_end(self, sent: BootTime) -> BootTime {
        sent + self.lease()
    }

    /// Returns when the lease of a replica that was fenced has ended, on the clock of the revoker,
    /// which had the answer to its fence at `answered`.
    ///
    /// The fastest clock reaches it one term later. A renewal that succeeded was sent before the
    /// fence was committed, so its lease has ended by then on any clock within the drift.
    pub(crate) fn fence_end(self, answered: BootTime) -> BootTime {
        // Rounded up, as the lease is rounded down.
        let margin = (self.term * self.drift + Duration::from_nanos(99)) / 100;
        answered + self.term + margin
    }

    /// Returns when a revoker fences a replica that has not acknowledged a change committed at
    /// `committed`.
    pub(crate) fn patience_end(self, committed: BootTime) -> BootTime {
        committed + self.share(self.drift)
    }

    /// Returns when a revoker gives up: after one fence and some retries of it.
    pub(crate) fn confirmation_end(self, committed: BootTime) -> BootTime {
        self.fence_end(self.patience_end(committed)) + self.share(25)
    }

    /// Returns how often a replica renews.
    pub(crate) fn renewal_interval(self) -> Duration {
        self.lease() / 4
    }

    /// Returns how long a replica or a revoker waits for the database to answer one call. Two tries
    /// fit into a lease.
    pub(crate) fn call_deadline(self) -> Duration {
        self.lease() / 3
    }

    /// Returns how long a replica waits for the changes since its last read.
    pub(crate) fn catch_up_deadline(self) -> Duration {
        self.term * 3
    }

    fn lease(self) -> Duration {
        self.share(100 - self.drift)
    }

    fn share(self, percent: u32) -> Duration {
        self.term * percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_ends_before_fence() {
        for nanos in [20, 101, 1_999_999_999] {
            let terms = Terms::new(Duration::from_nanos(nanos), 10);
            let start = BootTime(1_000);
            let lease = start.until(terms.lease_end(start)).as_nanos();
            let wait = start.until(terms.fence_end(start)).as_nanos();
            // A lease on a clock that is 10 % slow, a wait on one that is 10 % fast.
            assert!(lease * 10 / 9 <= wait * 10 / 11, "{nanos}");
        }
    }

    #[test]
    fn default_terms_keep_the_promise() {
        let start = BootTime::default();
        let answered = Terms::DEFAULT.fence_end(Terms::DEFAULT.patience_end(start));
        assert!(start.until(answered) < Duration::from_millis(2_200));
    }
}

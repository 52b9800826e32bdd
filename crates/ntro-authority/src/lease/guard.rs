//! The order of reads and writes between the tasks of a replica and its verifications.
//!
//! A test compiles this file with other atomics, which run every interleaving.

use super::atomics::{AtomicU64, Ordering};
use super::{BootClock, BootTime};

/// The lease of this replica. Verification answers from memory only while it holds.
pub(crate) struct Lease<C: ?Sized = dyn BootClock> {
    /// The end in nanoseconds of the clock; zero without a lease.
    end: AtomicU64,
    clock: std::sync::Arc<C>,
}

impl<C: BootClock + ?Sized> Lease<C> {
    pub(crate) const fn new(clock: std::sync::Arc<C>) -> Self {
        Self {
            end: AtomicU64::new(0),
            clock,
        }
    }

    /// Returns the result of a look-up in memory if the lease holds, and has held since before it.
    ///
    /// The end is read before the look-up: a replica that was fenced and has joined again has a new
    /// lease, which says nothing about an earlier look-up. The clock is read after the request has
    /// come. It is read last, so that a process that was stopped before does not answer.
    pub(crate) fn guard<T>(&self, look_up: impl FnOnce() -> T) -> Option<T> {
        let end = self.end();
        let found = look_up();
        (self.clock.now() < end).then_some(found)
    }

    /// Returns whether the lease holds now.
    pub(crate) fn holds(&self) -> bool {
        self.guard(|| ()).is_some()
    }

    /// Extends the lease. Everything that its renewal has acknowledged must be in memory by now.
    pub(crate) fn extend(&self, end: BootTime) {
        self.end.fetch_max(end.0, Ordering::Release);
    }

    /// Ends the lease.
    pub(crate) fn end_now(&self) {
        self.end.store(0, Ordering::Release);
    }

    /// Returns the end of the lease; one that has passed, or never began, for none.
    pub(crate) fn end(&self) -> BootTime {
        BootTime(self.end.load(Ordering::Acquire))
    }

    /// Returns the time until an end that was read earlier.
    pub(crate) fn until(&self, end: BootTime) -> std::time::Duration {
        self.clock.now().until(end)
    }
}

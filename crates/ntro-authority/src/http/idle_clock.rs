use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a connection has been without a request.
pub(super) struct IdleClock {
    start: Instant,
    /// The end of the last request, in milliseconds since `start`.
    idle_since: AtomicU64,
    /// Requests that wait for their responses: with HTTP/2, there may be several.
    under_way: AtomicU32,
}

/// A request that waits for its response. The connection is not idle until this is dropped.
pub(super) struct Busy(Arc<IdleClock>);

impl IdleClock {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            idle_since: AtomicU64::new(0),
            under_way: AtomicU32::new(0),
        }
    }

    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    pub(super) fn restart(&self) {
        self.idle_since.store(self.now(), Ordering::Relaxed);
    }

    /// Returns how long the connection is idle; zero if it is not.
    pub(super) fn idle(&self) -> Duration {
        // The end of a request is written before the request is no longer counted.
        if self.under_way.load(Ordering::Acquire) > 0 {
            return Duration::ZERO;
        }
        let since = self.idle_since.load(Ordering::Relaxed);
        Duration::from_millis(self.now().saturating_sub(since))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.restart();
        self.0.under_way.fetch_sub(1, Ordering::Release);
    }
}

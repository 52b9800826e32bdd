use std::ops::Add;
use std::time::Duration;

/// A time on the clock of this machine that counts sleep, in nanoseconds. Times of two machines, or
/// of two boots, cannot be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BootTime(pub(crate) u64);

impl BootTime {
    /// Returns the time from `self` to `later`, or zero.
    pub(crate) const fn until(self, later: Self) -> Duration {
        Duration::from_nanos(later.0.saturating_sub(self.0))
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// A clock that never goes back and never stops while its process lives, asleep or stopped.
pub(crate) trait BootClock: Send + Sync {
    fn now(&self) -> BootTime;
}

/// The clock of the system.
///
/// `CLOCK_BOOTTIME` on Linux. On macOS `CLOCK_MONOTONIC` counts sleep. On Windows the performance
/// counter does, which is the clock of [`std::time::Instant`].
pub(crate) struct SystemBootClock;

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
impl BootClock for SystemBootClock {
    fn now(&self) -> BootTime {
        use rustix::time::{ClockId, clock_gettime};

        #[cfg(not(target_vendor = "apple"))]
        const CLOCK: ClockId = ClockId::Boottime;
        #[cfg(target_vendor = "apple")]
        const CLOCK: ClockId = ClockId::Monotonic;

        let now = clock_gettime(CLOCK);
        // Neither part is negative.
        BootTime(now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
impl BootClock for SystemBootClock {
    fn now(&self) -> BootTime {
        use std::sync::LazyLock;
        use std::time::Instant;

        static START: LazyLock<Instant> = LazyLock::new(Instant::now);

        BootTime::default() + START.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_clock_advances() {
        let before = SystemBootClock.now();
        std::thread::sleep(Duration::from_millis(2));
        let after = SystemBootClock.now();
        assert!(before.until(after) >= Duration::from_millis(2));
        assert_eq!(after.until(before), Duration::ZERO);
    }
}

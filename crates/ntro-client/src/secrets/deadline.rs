use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The shortest useful remainder: a healthy service may take as long.
const LEAST: Duration = Duration::from_millis(50);
/// Spent time is restored this many times more slowly than it passes.
const FORGET: u32 = 20;

/// A time limit for all calls to a service together.
///
/// A command that makes forty calls to a hung service waits once. Spent time is slowly restored, so
/// that a process that runs for days does not use up its budget on successful calls.
#[derive(Debug)]
pub(super) struct Budget {
    allowed: Duration,
    spent: Mutex<Spent>,
}

#[derive(Debug)]
struct Spent {
    time: Duration,
    at: Instant,
}

impl Budget {
    pub(super) fn new(allowed: Duration) -> Self {
        Self {
            allowed,
            spent: Mutex::new(Spent {
                time: Duration::ZERO,
                at: Instant::now(),
            }),
        }
    }

    /// Returns the configured limit.
    pub(super) fn allowed(&self) -> Duration {
        self.allowed
    }

    /// Returns the remaining time, or `None` if it is too short for a call.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.allowed.saturating_sub(self.spent().time);
        (left >= LEAST.min(self.allowed) && !left.is_zero()).then_some(left)
    }

    /// Charges the time since `start`.
    pub(super) fn charge(&self, start: Instant) {
        let taken = start.elapsed();
        self.spent().time += taken;
    }

    /// Charges the time since `start`, minus the free allowance of an answered call.
    ///
    /// A service that answers does not hang, so a thousand quick calls cost nothing; one that
    /// answers every call slowly still uses up the budget.
    pub(super) fn charge_answered(&self, start: Instant) {
        let taken = start.elapsed().saturating_sub(LEAST);
        self.spent().time += taken;
    }

    /// Runs a call that may never return, for at most `bound`; returns `None` on timeout. The call
    /// runs on its own thread, which is abandoned and ends with the process.
    ///
    /// # Errors
    ///
    /// Fails when the thread cannot be started.
    #[cfg(any(
        test,
        target_os = "macos",
        target_os = "windows",
        feature = "native-keyring-test"
    ))]
    pub(super) fn wait_for<T: Send + 'static>(
        &self,
        bound: Duration,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<Option<T>> {
        use std::sync::mpsc::{self, RecvTimeoutError};
        use std::thread;

        let start = Instant::now();
        let (sender, answer) = mpsc::channel();
        let thread = thread::Builder::new().spawn(move || {
            // After a timeout nothing receives the result.
            let _ = sender.send(call());
        })?;
        match answer.recv_timeout(bound) {
            Ok(answer) => {
                self.charge_answered(start);
                Ok(Some(answer))
            }
            Err(RecvTimeoutError::Timeout) => {
                self.charge(start);
                Ok(None)
            }
            Err(RecvTimeoutError::Disconnected) => match thread.join() {
                Ok(()) => Ok(None),
                Err(panic) => std::panic::resume_unwind(panic),
            },
        }
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        spent.time = spent.time.saturating_sub((now - spent.at) / FORGET);
        spent.at = now;
        spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(time: Duration) -> Instant {
        Instant::now().checked_sub(time).unwrap()
    }

    #[test]
    fn calls_share_what_there_is() {
        let budget = Budget::new(Duration::from_secs(3));
        budget.charge(ago(Duration::from_secs(1)));
        budget.charge(ago(Duration::from_secs(1)));
        let left = budget.left().unwrap();
        assert!(left <= Duration::from_secs(1) + LEAST, "{left:?}");
        budget.charge(ago(Duration::from_secs(1)));
        assert_eq!(budget.left(), None);
        assert_eq!(budget.allowed(), Duration::from_secs(3));
    }

    #[test]
    fn slow_answers_use_up_budget() {
        let budget = Budget::new(Duration::from_secs(3));
        for _ in 0..1_000 {
            budget.charge_answered(ago(Duration::from_millis(20)));
        }
        assert!(budget.left().unwrap() > Duration::from_millis(2_900));
        for _ in 0..10 {
            budget.charge_answered(ago(Duration::from_millis(400)));
        }
        assert_eq!(budget.left(), None);
    }

    #[test]
    fn spent_budget_returns_slowly() {
        let budget = Budget::new(Duration::from_secs(3));
        budget.charge(ago(Duration::from_secs(3)));
        budget.spent.lock().unwrap().at = ago(Duration::from_secs(20));
        let left = budget.left().unwrap();
        assert!(left >= Duration::from_millis(900), "{left:?}");
        assert!(left <= Duration::from_millis(1_100), "{left:?}");
    }

    #[test]
    fn hanging_call_is_awaited_once() {
        let budget = Budget::new(Duration::from_millis(200));
        let answer = budget.wait_for(budget.left().unwrap(), || 7);
        assert_eq!(answer.unwrap(), Some(7));
        let left = budget.left().unwrap();
        let never = || loop {
            std::thread::park();
        };
        assert_eq!(budget.wait_for::<()>(left, never).unwrap(), None);
        assert_eq!(budget.left(), None);
    }

    #[test]
    fn no_time_is_no_try() {
        assert_eq!(Budget::new(Duration::ZERO).left(), None);
    }
}

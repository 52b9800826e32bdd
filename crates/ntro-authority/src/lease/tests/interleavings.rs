//! [`Lease::guard`] in random interleavings with the tasks of its replica and with a revoker.

use shuttle::scheduler::RandomScheduler;
use shuttle::sync::{Arc, RwLock};
use shuttle::{Config, Runner, thread};

use super::super::{BootClock, BootTime};
use atomics::{AtomicU64, Ordering};
use guard::Lease;

mod atomics {
    pub(super) use shuttle::sync::atomic::{AtomicU64, Ordering};
}

// The file of the program, over the atomics above.
#[allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "this test uses a part of it, over other atomics"
)]
#[path = "../guard.rs"]
mod guard;

/// The end of the first lease, and the time after it.
const END: BootTime = BootTime(10);
/// The end of a later lease.
const LATER: BootTime = BootTime(20);

/// Each wrong order is found within some hundred.
const INTERLEAVINGS: usize = 5_000;

#[derive(Default)]
struct TestClock(AtomicU64);

impl BootClock for TestClock {
    fn now(&self) -> BootTime {
        BootTime(self.0.load(Ordering::SeqCst))
    }
}

/// A replica that has a lease, and a key in memory.
struct Replica {
    clock: std::sync::Arc<TestClock>,
    lease: Lease<TestClock>,
    is_live: RwLock<bool>,
    acknowledged: AtomicU64,
    answered: AtomicU64,
}

impl Replica {
    fn new() -> Self {
        let clock = std::sync::Arc::new(TestClock::default());
        let lease = Lease::new(clock.clone());
        lease.extend(END);
        Self {
            clock,
            lease,
            is_live: RwLock::new(true),
            acknowledged: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        }
    }

    fn look_up(&self) -> bool {
        *self.is_live.read().unwrap()
    }

    fn publish(&self) {
        *self.is_live.write().unwrap() = false;
    }

    fn acknowledge(&self) {
        self.acknowledged.store(1, Ordering::SeqCst);
    }

    /// Answers the revocation if the replica has acknowledged it, or its first lease has ended.
    fn revoke(&self) {
        let has_acknowledged = self.acknowledged.load(Ordering::SeqCst) == 1;
        if has_acknowledged || self.clock.now() >= END {
            self.answered.store(1, Ordering::SeqCst);
        }
    }

    /// Panics if the key is accepted for a request that comes after the answer.
    fn verify(&self, guard: fn(&Self) -> Option<bool>) {
        let is_late = self.answered.load(Ordering::SeqCst) == 1;
        let accepted = guard(self) == Some(true);
        assert!(!(is_late && accepted), "accepted after the answer");
    }
}

type Task = Box<dyn FnOnce(&Replica) + Send>;

/// Runs a replica, a revoker and a verification in many interleavings; returns how many.
fn explore(replica_does: fn(&Replica), guard: fn(&Replica) -> Option<bool>) -> usize {
    let random = RandomScheduler::new_from_seed(1, INTERLEAVINGS);
    Runner::new(random, Config::default()).run(move || {
        let replica = Arc::new(Replica::new());
        let tasks: [Task; 3] = [
            Box::new(replica_does),
            Box::new(Replica::revoke),
            Box::new(move |replica| replica.verify(guard)),
        ];
        let threads = tasks.map(|task| {
            let replica = replica.clone();
            thread::spawn(move || task(&replica))
        });
        for thread in threads {
            thread.join().unwrap();
        }
    })
}

fn right(replica: &Replica) -> Option<bool> {
    replica.lease.guard(|| replica.look_up())
}

/// Reads the end of the lease after the look-up.
fn late_end(replica: &Replica) -> Option<bool> {
    let found = replica.look_up();
    replica.lease.guard(|| found)
}

fn publish_then_acknowledge(replica: &Replica) {
    replica.publish();
    replica.acknowledge();
}

fn acknowledge_then_publish(replica: &Replica) {
    replica.acknowledge();
    replica.publish();
}

/// The lease ends, another revoker's fence was answered, and the replica joins again.
fn join_again(replica: &Replica) {
    replica.clock.0.store(END.0, Ordering::SeqCst);
    replica.lease.end_now();
    replica.publish();
    replica.lease.extend(LATER);
}

/// Begins the new lease before the memory is read.
fn join_too_early(replica: &Replica) {
    replica.clock.0.store(END.0, Ordering::SeqCst);
    replica.lease.extend(LATER);
    replica.publish();
}

#[test]
fn guard_holds_in_interleavings() {
    for replica in [publish_then_acknowledge, join_again] {
        assert_eq!(explore(replica, right), INTERLEAVINGS);
    }
}

#[test]
#[should_panic(expected = "accepted after the answer")]
fn early_acknowledgement_is_caught() {
    explore(acknowledge_then_publish, right);
}

#[test]
#[should_panic(expected = "accepted after the answer")]
fn late_end_is_caught() {
    explore(join_again, late_end);
}

#[test]
#[should_panic(expected = "accepted after the answer")]
fn early_lease_is_caught() {
    explore(join_too_early, right);
}

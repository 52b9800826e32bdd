//! The tasks of three replicas over a simulated network and a database in memory, under random
//! faults. What the clients saw is checked against the promise.
//!
//! `NTRO_SIMULATION_SEED` names the first seed, and `NTRO_SIMULATION_RUNS` the number of runs.

mod cluster;
mod exchange;
mod faults;
mod replica;
mod traffic;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::history::{Seen, Verified, violations};
use cluster::{Cluster, Mutant};
use faults::Faults;

/// How long a run lasts, in simulated time.
const LENGTH: Duration = Duration::from_secs(15);
const REPLICAS: usize = 3;
const DEFAULT_RUNS: u64 = 4;

type History = Arc<Mutex<Vec<Seen>>>;

/// Numbers that follow from a seed.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    /// Returns a number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Returns a duration in milliseconds between two.
    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }
}

/// Returns what the clients saw in one run.
fn run(seed: u64, mutant: Option<Mutant>) -> Vec<Seen> {
    let mut dice = Dice(seed);
    let mut simulation = turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(Duration::from_millis(2))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(12))
        .simulation_duration(LENGTH * 2)
        .tcp_capacity(4_096)
        .build();
    let cluster = Arc::new(Cluster::new(mutant));
    cluster.host(&mut simulation);
    let mut faults = Faults::new(dice.fork());
    let verifications = replica::host(&mut simulation, &cluster, &faults, &mut dice);
    let history = History::default();
    traffic::client(&mut simulation, &verifications, &history, &mut dice);
    while simulation.elapsed() < LENGTH {
        faults.step(&mut simulation, &cluster);
        simulation.step().unwrap();
    }
    let history = history.lock().unwrap();
    history.clone()
}

/// Returns a line about a run.
fn summary(history: &[Seen]) -> String {
    let count = |is: &dyn Fn(&Seen) -> bool| history.iter().filter(|seen| is(seen)).count();
    let verified = |accepted: bool| {
        count(
            &|seen| matches!(seen, Seen::Verified(Verified { accepted: is, .. }) if *is == accepted),
        )
    };
    format!(
        "{} accepted, {} refused, {} created, {} of {} revocations answered",
        verified(true),
        verified(false),
        count(&|seen| matches!(seen, Seen::Created { .. })),
        count(&|seen| matches!(seen, Seen::Revoked { .. })),
        count(&|seen| matches!(seen, Seen::Revoking { .. })),
    )
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = number("NTRO_SIMULATION_SEED").unwrap_or(1);
    first..first + number("NTRO_SIMULATION_RUNS").unwrap_or(DEFAULT_RUNS)
}

#[test]
fn promise_holds_under_faults() {
    let mut answered = 0;
    for seed in seeds() {
        let history = run(seed, None);
        eprintln!("seed {seed}: {}", summary(&history));
        let found = violations(&history);
        assert!(found.is_empty(), "seed {seed}: {found:?}");
        let is_answer = |seen: &&Seen| matches!(seen, Seen::Revoked { .. });
        answered += history.iter().filter(is_answer).count();
    }
    assert!(answered > 0);
}

#[test]
fn mutants_break_the_promise() {
    for mutant in Mutant::ALL {
        let caught = (1..40).find_map(|seed| {
            let found = violations(&run(seed, Some(mutant)));
            Some((seed, *found.first()?))
        });
        let (seed, violation) = caught.unwrap_or_else(|| panic!("{mutant:?} is not caught"));
        eprintln!("{mutant:?} at seed {seed}: {violation:?}");
    }
}

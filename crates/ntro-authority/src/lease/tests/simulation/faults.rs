use std::time::Duration;

use turmoil::Sim;

use super::cluster::{Cluster, NODES};
use super::exchange::Pause;
use super::replica::NAMES;
use super::{Dice, REPLICAS};

/// What happens to a replica for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing between it and the database arrives.
    Partition,
    /// What is sent between it and the database arrives later.
    Hold,
    /// It is stopped and continued.
    Pause,
    /// It ends and is started again.
    Crash,
}

/// Random faults: at most one of each replica at a time, restarts of the database, one failover.
pub(super) struct Faults {
    dice: Dice,
    pauses: [Pause; REPLICAS],
    active: [Option<(Fault, Duration)>; REPLICAS],
    next: Duration,
    restart: Option<(&'static str, Duration)>,
}

impl Faults {
    pub(super) fn new(dice: Dice) -> Self {
        Self {
            dice,
            pauses: Default::default(),
            active: [None; REPLICAS],
            next: Duration::from_secs(2),
            restart: None,
        }
    }

    pub(super) fn pause(&self, replica: usize) -> Pause {
        self.pauses[replica].clone()
    }

    /// Ends what is due and begins another fault.
    pub(super) fn step(&mut self, simulation: &mut Sim<'_>, cluster: &Cluster) {
        let now = simulation.elapsed();
        for replica in 0..REPLICAS {
            if let Some((fault, end)) = self.active[replica]
                && now >= end
            {
                self.end(simulation, replica, fault);
                self.active[replica] = None;
            }
        }
        if let Some((node, end)) = self.restart
            && now >= end
        {
            simulation.bounce(node);
            self.restart = None;
        }
        if now < self.next {
            return;
        }
        self.next = now + self.dice.millis(200, 900);
        match self.dice.below(24) {
            0 => {
                cluster.fail_over();
            }
            1 | 2 if self.restart.is_none() => {
                let node = cluster.primary();
                simulation.crash(node);
                self.restart = Some((node, now + self.dice.millis(50, 1_500)));
            }
            roll => {
                let replica = usize::try_from(self.dice.below(REPLICAS as u64)).unwrap();
                if self.active[replica].is_some() {
                    return;
                }
                let fault = [Fault::Partition, Fault::Hold, Fault::Pause, Fault::Crash]
                    [usize::try_from(roll % 4).unwrap()];
                self.begin(simulation, replica, fault);
                let end = now + self.dice.millis(100, 4_500);
                self.active[replica] = Some((fault, end));
            }
        }
    }

    fn begin(&self, simulation: &mut Sim<'_>, replica: usize, fault: Fault) {
        let name = NAMES[replica];
        for node in NODES {
            match fault {
                Fault::Partition => simulation.partition(name, node),
                Fault::Hold => simulation.hold(name, node),
                Fault::Pause | Fault::Crash => {}
            }
        }
        match fault {
            Fault::Pause => self.pauses[replica].set(true),
            Fault::Crash => simulation.crash(name),
            Fault::Partition | Fault::Hold => {}
        }
    }

    fn end(&self, simulation: &mut Sim<'_>, replica: usize, fault: Fault) {
        let name = NAMES[replica];
        for node in NODES {
            match fault {
                Fault::Partition => simulation.repair(name, node),
                Fault::Hold => simulation.release(name, node),
                Fault::Pause | Fault::Crash => {}
            }
        }
        match fault {
            Fault::Pause => self.pauses[replica].set(false),
            Fault::Crash => simulation.bounce(name),
            Fault::Partition | Fault::Hold => {}
        }
    }
}

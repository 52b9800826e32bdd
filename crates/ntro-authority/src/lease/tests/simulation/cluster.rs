use std::sync::{Arc, Mutex, MutexGuard};

use super::exchange::{Exchange, Pause};
use crate::lease::{Generation, LeaseRow, Renewal, ReplicaId};
use crate::store::Epoch;

/// The hosts of the database: the first primary and its synchronous standby.
pub(super) const NODES: [&str; 2] = ["first", "second"];

/// What a wrong implementation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// A fence does nothing.
    NoFence,
    /// A row that was fenced is not waited for.
    FencedIsEnded,
    /// Renewals and reads commit nothing, so a deposed primary answers them.
    RenewalByRead,
    /// An epoch is acknowledged before the memory has it.
    AcknowledgedBeforePublished,
}

impl Mutant {
    pub(super) const ALL: [Self; 4] = [
        Self::NoFence,
        Self::FencedIsEnded,
        Self::RenewalByRead,
        Self::AcknowledgedBeforePublished,
    ];
}

/// A call to the database.
#[derive(Clone, Debug)]
pub(super) enum Query {
    Join(ReplicaId, Epoch),
    Renew(ReplicaId, Generation, Epoch),
    Rows,
    Fence(ReplicaId, Generation),
    Remove(ReplicaId, Generation),
    ReadEpoch,
    /// The changes after an epoch.
    Changes(Option<Epoch>),
    /// Sets whether a key is live. A repeated change begins no new epoch.
    Change(u32, bool),
}

#[derive(Clone, Debug)]
pub(super) enum Reply {
    Generation(Generation),
    Renewal(Renewal),
    Rows(Vec<LeaseRow>),
    Done,
    Epoch(Epoch),
    Changes(Epoch, Vec<(u32, bool)>),
}

#[derive(Clone, Default)]
struct Database {
    changes: Vec<(u32, bool)>,
    rows: Vec<LeaseRow>,
    joins: i64,
}

impl Database {
    fn epoch(&self) -> Epoch {
        Epoch(i64::try_from(self.changes.len()).unwrap())
    }

    fn row(&mut self, replica: ReplicaId, generation: Generation) -> Option<&mut LeaseRow> {
        let mut rows = self.rows.iter_mut();
        rows.find(|row| row.replica == replica && row.generation == generation)
    }

    fn run(&mut self, query: Query, mutant: Option<Mutant>) -> Reply {
        match query {
            Query::Join(replica, acked) => {
                self.joins += 1;
                let generation = Generation(self.joins);
                self.rows.retain(|row| row.replica != replica);
                self.rows.push(LeaseRow {
                    replica,
                    generation,
                    acked,
                    fenced: false,
                });
                Reply::Generation(generation)
            }
            Query::Renew(replica, generation, acked) => {
                let epoch = self.epoch();
                Reply::Renewal(match self.row(replica, generation) {
                    Some(row) if !row.fenced => {
                        row.acked = row.acked.max(acked);
                        Renewal::Renewed(epoch)
                    }
                    _ => Renewal::Fenced,
                })
            }
            Query::Rows => {
                let mut rows = self.rows.clone();
                if mutant == Some(Mutant::FencedIsEnded) {
                    rows.retain(|row| !row.fenced);
                }
                Reply::Rows(rows)
            }
            Query::Fence(replica, generation) => {
                if let Some(row) = self.row(replica, generation) {
                    row.fenced = mutant != Some(Mutant::NoFence);
                }
                Reply::Done
            }
            Query::Remove(replica, generation) => {
                self.rows
                    .retain(|row| row.replica != replica || row.generation != generation);
                Reply::Done
            }
            Query::ReadEpoch => Reply::Epoch(self.epoch()),
            Query::Changes(after) => {
                let after = after.map_or(0, |Epoch(after)| usize::try_from(after).unwrap());
                let changes = self.changes.get(after..).unwrap_or_default();
                Reply::Changes(self.epoch(), changes.to_vec())
            }
            Query::Change(key, live) => {
                let last = self
                    .changes
                    .iter()
                    .rev()
                    .find(|(changed, _)| *changed == key);
                if last != Some(&(key, live)) {
                    self.changes.push((key, live));
                }
                Reply::Epoch(self.epoch())
            }
        }
    }
}

/// A primary with a synchronous standby, which may be promoted while the primary runs.
pub(super) struct Cluster {
    nodes: Mutex<Nodes>,
    pub(super) exchange: Exchange<Query, Reply>,
    pub(super) mutant: Option<Mutant>,
}

struct Nodes {
    databases: [Database; 2],
    failed_over: bool,
}

impl Cluster {
    pub(super) fn new(mutant: Option<Mutant>) -> Self {
        Self {
            nodes: Mutex::new(Nodes {
                databases: Default::default(),
                failed_over: false,
            }),
            exchange: Exchange::new(),
            mutant,
        }
    }

    /// Adds the hosts.
    pub(super) fn host(self: &Arc<Self>, simulation: &mut turmoil::Sim<'_>) {
        for (number, name) in NODES.into_iter().enumerate() {
            let cluster = self.clone();
            simulation.host(name, move || {
                let cluster = cluster.clone();
                let exchange = cluster.exchange.clone();
                exchange.answer(Pause::default(), move |query| {
                    let reply = cluster.run(number, query);
                    async move {
                        match reply {
                            Some(reply) => reply,
                            None => std::future::pending().await,
                        }
                    }
                })
            });
        }
    }

    /// Runs a call at a node; `None` if it never answers.
    fn run(&self, number: usize, query: Query) -> Option<Reply> {
        let mut nodes = self.nodes();
        let is_primary = nodes.failed_over == (number == 1);
        if is_primary {
            let reply = nodes.databases[number].run(query, self.mutant);
            if !nodes.failed_over {
                nodes.databases[1] = nodes.databases[0].clone();
            }
            return Some(reply);
        }
        if number == 1 {
            // A standby.
            return None;
        }
        // A deposed primary waits for its standby, and shows what it has not replicated.
        let reads = match query {
            Query::Renew(..) | Query::Rows | Query::ReadEpoch | Query::Changes(_) => true,
            Query::Join(..) | Query::Fence(..) | Query::Remove(..) | Query::Change(..) => false,
        };
        let reply = nodes.databases[0].run(query, self.mutant);
        (reads && self.mutant == Some(Mutant::RenewalByRead)).then_some(reply)
    }

    pub(super) fn primary(&self) -> &'static str {
        NODES[usize::from(self.nodes().failed_over)]
    }

    /// Promotes the standby. Returns whether it was one.
    pub(super) fn fail_over(&self) -> bool {
        !std::mem::replace(&mut self.nodes().failed_over, true)
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap()
    }
}

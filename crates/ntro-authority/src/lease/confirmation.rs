use std::collections::BTreeMap;
use std::time::Duration;

use super::{BootTime, Generation, LeaseRow, ReplicaId, Terms};
use crate::store::Epoch;

/// The protocol from the view of a revoker: whether a replica can still answer from a memory without
/// the change.
///
/// It reads no clock and sends nothing, as [`super::Tenure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Has the change.
    Confirmed,
    /// May still acknowledge, or its lease may still hold.
    Awaited,
    /// Is silent, and has to be fenced.
    Silent,
    /// Was fenced, and its lease has ended.
    Ended,
}

impl Standing {
    /// Returns the standing of a row, read after the commit of `epoch`.
    ///
    /// `fenced` is when this process had the answer to its own fence of the row. A fence by another
    /// process counts for nothing here: only that process knows when it was committed.
    pub(crate) fn of(
        row: &LeaseRow,
        epoch: Epoch,
        committed: BootTime,
        fenced: Option<BootTime>,
        now: BootTime,
        terms: Terms,
    ) -> Self {
        match fenced {
            _ if row.acked >= epoch => Self::Confirmed,
            Some(answered) if now >= terms.fence_end(answered) => Self::Ended,
            Some(_) => Self::Awaited,
            // A fenced replica acknowledges nothing.
            None if row.fenced || now >= terms.patience_end(committed) => Self::Silent,
            None => Self::Awaited,
        }
    }
}

/// The proof that a change is in effect: no replica answers without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) epoch: Epoch,
    /// The replicas that have acknowledged the change, and the time from its commit until then.
    pub(crate) confirmed: Vec<(ReplicaId, Duration)>,
    /// The replicas that were fenced, and whose leases have ended.
    pub(crate) fenced: Vec<ReplicaId>,
}

/// A change that was committed and waits for the replicas.
pub(crate) struct Confirmation {
    epoch: Epoch,
    committed: BootTime,
    terms: Terms,
    confirmed: BTreeMap<ReplicaId, Duration>,
    ended: BTreeMap<ReplicaId, Generation>,
}

/// What a revoker does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// Answers.
    Answer,
    /// Fences these rows.
    Fence(Vec<LeaseRow>),
    /// Reads the rows again.
    ReadAgain,
    /// Gives up: the change is committed, and may not be in effect.
    GiveUp,
}

impl Confirmation {
    /// Begins to wait for a change whose commit was answered at `committed`.
    pub(crate) const fn new(epoch: Epoch, committed: BootTime, terms: Terms) -> Self {
        Self {
            epoch,
            committed,
            terms,
            confirmed: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    /// Returns what follows from the rows, which were read after the commit, and from this process's
    /// own fences.
    pub(crate) fn step(
        &mut self,
        rows: &[LeaseRow],
        own_fence: impl Fn(Generation) -> Option<BootTime>,
        now: BootTime,
    ) -> NextStep {
        let mut silent = Vec::new();
        let mut waits = false;
        for row in rows {
            let fenced = own_fence(row.generation);
            match Standing::of(row, self.epoch, self.committed, fenced, now, self.terms) {
                Standing::Confirmed => {
                    let after = self.committed.until(now);
                    self.confirmed.entry(row.replica).or_insert(after);
                }
                Standing::Ended => {
                    self.ended.insert(row.replica, row.generation);
                }
                Standing::Silent => silent.push(*row),
                Standing::Awaited => waits = true,
            }
        }
        if silent.is_empty() && !waits {
            NextStep::Answer
        } else if now >= self.terms.confirmation_end(self.committed) {
            NextStep::GiveUp
        } else if silent.is_empty() {
            NextStep::ReadAgain
        } else {
            NextStep::Fence(silent)
        }
    }

    /// Returns the receipt, and the rows that are needed no more.
    pub(crate) fn finish(mut self) -> (Receipt, Vec<(ReplicaId, Generation)>) {
        // A replica that has joined again and acknowledged has replaced its row.
        self.ended
            .retain(|replica, _| !self.confirmed.contains_key(replica));
        let receipt = Receipt {
            epoch: self.epoch,
            confirmed: self.confirmed.into_iter().collect(),
            fenced: self.ended.keys().copied().collect(),
        };
        (receipt, self.ended.into_iter().collect())
    }
}

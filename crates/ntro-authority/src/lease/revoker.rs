use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::shared_read::within;
use super::{
    BootClock, BootTime, Confirmation, Generation, LeaseRow, LeaseStore, NextStep, Receipt,
    ReplicaId, Terms,
};
use crate::store::Epoch;

/// The pause before the rows are read a second time; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// A change is committed, but some replica may not know it yet. The same call may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unconfirmed;

/// Waits until committed changes are in effect on every replica.
pub(crate) struct Revoker {
    store: Arc<dyn LeaseStore>,
    clock: Arc<dyn BootClock>,
    terms: Terms,
    /// This process, if it serves, and the epoch in its memory.
    own: Option<(ReplicaId, watch::Receiver<Option<Epoch>>)>,
    /// When this process had the answers to its own fences.
    fences: Mutex<HashMap<Generation, BootTime>>,
}

impl Revoker {
    /// Returns the revoker of a process that does not serve.
    pub(crate) fn new(store: Arc<dyn LeaseStore>, clock: Arc<dyn BootClock>, terms: Terms) -> Self {
        Self {
            store,
            clock,
            terms,
            own: None,
            fences: Mutex::default(),
        }
    }

    pub(super) fn serving(
        self,
        replica: ReplicaId,
        applied: watch::Receiver<Option<Epoch>>,
    ) -> Self {
        Self {
            own: Some((replica, applied)),
            ..self
        }
    }

    /// Waits until no replica answers without the change that began `epoch`. Must be called after
    /// the commit was answered.
    pub(crate) async fn confirm(&self, epoch: Epoch) -> Result<Receipt, Unconfirmed> {
        let committed = self.clock.now();
        let mut confirmation = Confirmation::new(epoch, committed, self.terms);
        let mut pause = FIRST_PAUSE;
        let give_up = self.terms.confirmation_end(committed);
        loop {
            let rows = within(self.terms.call_deadline(), self.store.rows()).await;
            let now = self.clock.now();
            let step = match rows {
                Ok(rows) => confirmation.step(&self.with_own(rows), |row| self.own_fence(row), now),
                Err(_) if now >= give_up => NextStep::GiveUp,
                Err(_) => NextStep::ReadAgain,
            };
            match step {
                NextStep::Answer => break,
                NextStep::GiveUp => return Err(Unconfirmed),
                NextStep::Fence(silent) => {
                    for row in silent {
                        self.fence(&row).await;
                    }
                }
                NextStep::ReadAgain => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        let (receipt, ended) = confirmation.finish();
        for (replica, generation) in ended {
            self.remove(replica, generation).await;
        }
        Ok(receipt)
    }

    /// Fences a row, and counts the wait from the answer. Without an answer the next round tries
    /// again.
    async fn fence(&self, row: &LeaseRow) {
        tracing::warn!(replica = %row.replica.0, "a replica is silent and is fenced");
        let fence = self.store.fence(row.replica, row.generation);
        if within(self.terms.call_deadline(), fence).await.is_ok() {
            let answered = self.clock.now();
            self.fences().entry(row.generation).or_insert(answered);
        }
    }

    /// Removes a row whose lease has ended, so that no later change waits for it. It stays if the
    /// database does not answer.
    async fn remove(&self, replica: ReplicaId, generation: Generation) {
        let remove = self.store.remove(replica, generation);
        if within(self.terms.call_deadline(), remove).await.is_ok() {
            self.fences().remove(&generation);
        }
    }

    /// Adds what the memory of this process has: its row says the same a little later.
    fn with_own(&self, mut rows: Vec<LeaseRow>) -> Vec<LeaseRow> {
        if let Some((replica, applied)) = &self.own {
            let applied = *applied.borrow();
            for row in rows.iter_mut().filter(|row| row.replica == *replica) {
                row.acked = applied.unwrap_or(row.acked).max(row.acked);
            }
        }
        rows
    }

    fn own_fence(&self, generation: Generation) -> Option<BootTime> {
        self.fences().get(&generation).copied()
    }

    fn fences(&self) -> MutexGuard<'_, HashMap<Generation, BootTime>> {
        self.fences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use super::{BootTime, Generation, Renewal, Terms};
use crate::store::Epoch;

/// The protocol from the view of a replica: when it may renew, and what an answer means.
///
/// It reads no clock and sends nothing, so that the tasks of a replica, the model and the simulation
/// share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tenure {
    generation: Option<Generation>,
    /// What the memory has.
    applied: Option<Epoch>,
    /// What the memory must have before the lease begins: the answer to the first renewal.
    needed: Option<Epoch>,
    /// The highest epoch that the database has reported.
    highest: Option<Epoch>,
}

/// A renewal on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RenewalRequest {
    pub(crate) generation: Generation,
    pub(crate) acked: Epoch,
    /// When it was sent; read before it was sent.
    pub(crate) sent: BootTime,
}

/// What happens to the lease after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseChange {
    Extend(BootTime),
    End,
    /// The answer belongs to an earlier generation, or the lease has not begun yet.
    Keep,
}

impl Tenure {
    pub(crate) const fn generation(&self) -> Option<Generation> {
        self.generation
    }

    /// Returns the epoch to join with, if the memory is loaded.
    pub(crate) const fn applied(&self) -> Option<Epoch> {
        self.applied
    }

    /// Begins a tenure, after the row was committed.
    pub(crate) fn join(&mut self, generation: Generation) {
        self.generation = Some(generation);
        self.needed = None;
    }

    /// Records that the memory has every change up to `epoch`.
    pub(crate) fn apply(&mut self, epoch: Epoch) {
        self.applied = self.applied.max(Some(epoch));
        self.highest = self.highest.max(self.applied);
    }

    /// Returns whether the database has changes that the memory lacks.
    pub(crate) fn is_behind(&self) -> bool {
        self.applied < self.highest
    }

    /// Returns the renewal to send, if this replica has joined.
    pub(crate) fn renewal(&self, now: BootTime) -> Option<RenewalRequest> {
        Some(RenewalRequest {
            generation: self.generation?,
            acked: self.applied?,
            sent: now,
        })
    }

    /// Takes the answer to a renewal. Without an answer the lease stays as it is, and ends by itself.
    ///
    /// The lease of a tenure begins when the memory has the epoch that its first renewal has
    /// returned. Changes before that epoch may have been confirmed without this replica; a later
    /// change finds its row.
    pub(crate) fn answer(
        &mut self,
        request: RenewalRequest,
        answer: Renewal,
        terms: Terms,
    ) -> LeaseChange {
        if self.generation != Some(request.generation) {
            return LeaseChange::Keep;
        }
        match answer {
            Renewal::Renewed(epoch) if self.highest <= Some(epoch) => {
                self.highest = Some(epoch);
                if request.acked >= *self.needed.get_or_insert(epoch) {
                    LeaseChange::Extend(terms.lease_end(request.sent))
                } else {
                    LeaseChange::Keep
                }
            }
            // An epoch that went back is another database's.
            Renewal::Renewed(_) | Renewal::Fenced => {
                self.generation = None;
                LeaseChange::End
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: BootTime = BootTime(5);

    fn joined(epoch: i64) -> Tenure {
        let mut tenure = Tenure::default();
        tenure.apply(Epoch(epoch));
        tenure.join(Generation(1));
        tenure
    }

    fn renewed(tenure: &mut Tenure, epoch: i64) -> LeaseChange {
        let request = tenure.renewal(NOW).unwrap();
        tenure.answer(request, Renewal::Renewed(Epoch(epoch)), Terms::DEFAULT)
    }

    #[test]
    fn lease_begins_with_the_first_answer() {
        let extended = LeaseChange::Extend(Terms::DEFAULT.lease_end(NOW));
        let mut tenure = joined(3);
        assert_eq!(renewed(&mut tenure, 4), LeaseChange::Keep);
        assert!(tenure.is_behind());
        tenure.apply(Epoch(4));
        // Revokers of later changes wait for this replica.
        assert_eq!(renewed(&mut tenure, 5), extended);
        assert_eq!(renewed(&mut joined(3), 3), extended);
    }

    #[test]
    fn fenced_replica_joins_again() {
        let mut tenure = joined(3);
        let request = tenure.renewal(NOW).unwrap();
        let fenced = tenure.answer(request, Renewal::Fenced, Terms::DEFAULT);
        assert_eq!(fenced, LeaseChange::End);
        assert_eq!(tenure.renewal(NOW), None);
        tenure.join(Generation(2));
        let late = tenure.answer(request, Renewal::Renewed(Epoch(4)), Terms::DEFAULT);
        assert_eq!(late, LeaseChange::Keep);
        assert_eq!(renewed(&mut tenure, 4), LeaseChange::Keep);
    }

    #[test]
    fn earlier_epoch_ends_the_lease() {
        let mut tenure = joined(3);
        assert_eq!(renewed(&mut tenure, 2), LeaseChange::End);
        assert_eq!(tenure.generation(), None);
    }
}

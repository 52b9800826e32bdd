use uuid::Uuid;

use crate::store::{Epoch, StoreFuture};

/// A serving process. Every start of a process makes a new one: an old process that still runs keeps
/// its own row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ReplicaId(pub(crate) Uuid);

impl ReplicaId {
    /// Returns the id of this start of the process.
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

/// The number of a join. No two joins of a database have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Generation(pub(crate) i64);

/// One replica in the table of leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LeaseRow {
    pub(crate) replica: ReplicaId,
    pub(crate) generation: Generation,
    /// Every change up to this epoch is in the replica's memory.
    pub(crate) acked: Epoch,
    /// Renewals of this generation fail.
    pub(crate) fenced: bool,
}

/// The answer to a renewal that was committed or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Renewal {
    /// Committed; an epoch of the database that was read in the same transaction or after it.
    Renewed(Epoch),
    /// The row is fenced, is gone, or has another generation, or the database is another one than
    /// at the join (system identifier or timeline). Nothing was written.
    Fenced,
}

/// The table of leases, in the database of the registry.
///
/// **An error means that the outcome is unknown.** That is every error, every time-out, and every
/// warning on the commit of a write: a cancelled synchronous commit answers with success and a
/// warning. A caller may drop a future at any time; the statement may still be committed then, and
/// its connection must not be used again.
///
/// **Writes** ([`join`](Self::join), [`renew`](Self::renew), [`fence`](Self::fence),
/// [`remove`](Self::remove)) are logged and committed synchronously, on the primary: their answer is
/// never lost, and a deposed primary cannot give it. No write looks at a clock.
///
/// **Reads** ([`rows`](Self::rows), [`read_epoch`](Self::read_epoch)) begin after the call, and never
/// answer with what a deposed primary has, or with what a failover may take back. With standbys they
/// commit a write in the same transaction. On a single node a plain read is enough.
pub(crate) trait LeaseStore: Send + Sync {
    /// Writes the row of a replica, in place of its earlier one: a new generation, not fenced, with
    /// this acknowledged epoch even if the earlier row has a later one.
    fn join(&self, replica: ReplicaId, acked: Epoch) -> StoreFuture<'_, Generation>;

    /// Acknowledges an epoch, if the row of the replica has this generation and is not fenced. An
    /// acknowledged epoch never goes back.
    ///
    /// The write happens even if the epoch is acknowledged already.
    fn renew(
        &self,
        replica: ReplicaId,
        generation: Generation,
        acked: Epoch,
    ) -> StoreFuture<'_, Renewal>;

    /// Returns every row.
    fn rows(&self) -> StoreFuture<'_, Vec<LeaseRow>>;

    /// Makes every later renewal of this generation fail. The write happens even if the row is
    /// fenced already; a row that is gone needs none.
    fn fence(&self, replica: ReplicaId, generation: Generation) -> StoreFuture<'_, ()>;

    /// Removes the row if it has this generation.
    fn remove(&self, replica: ReplicaId, generation: Generation) -> StoreFuture<'_, ()>;

    /// Returns the epoch of the database.
    fn read_epoch(&self) -> StoreFuture<'_, Epoch>;
}

/// Brings changes of the database into the memory of this process.
pub(crate) trait ChangeReader: Send + Sync {
    /// Reads, in one snapshot that is taken after the call, the epoch and every change since the last
    /// call, and hands them to the subscriber. Returns the epoch when the subscriber has applied it.
    ///
    /// Reads as [`LeaseStore`] does. A deposed primary can show a change that its standby never got;
    /// in memory, it would hide the change to which the new primary gives the same epoch.
    ///
    /// The first call reads everything. An epoch below one that was returned before is an error: the
    /// database is an older copy.
    ///
    /// The caller makes one call at a time, and may drop a future; the next call then repeats what
    /// the dropped one has not applied.
    fn catch_up(&self) -> StoreFuture<'_, Epoch>;
}

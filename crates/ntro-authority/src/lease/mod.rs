//! Leases: several replicas of one database verify from memory, and a revocation that was answered is
//! in effect on all of them.
//!
//! **The promise.** *P1*: after the answer to a reduction of access, no verification whose request was
//! sent later is accepted, on any replica. *P2*: a replica that has refused a key for a reduction never
//! accepts it again. Both hold through pauses, partitions, crashes, lost notifications, restarts of the
//! database, and a failover to a synchronous standby. A replica that cannot know refuses to answer.
//!
//! **The rules**, each in one place:
//!
//! | rule | where |
//! | --- | --- |
//! | A replica has a row in the table of leases, with the epoch that its memory has. It renews the row by a commit. The lease counts from before the renewal was sent. | [`Terms::lease_end`], [`Tenure`] |
//! | The row acknowledges an epoch after the memory has it. | [`ChangeReader`], [`Replica::run`] |
//! | The first lease after a join begins when the memory has the epoch that the first renewal returned. | [`Tenure::answer`] |
//! | Verification reads the end of the lease, then the memory, then the clock. | [`Lease::guard`] |
//! | A revoker commits, and then waits for each row: until it acknowledges the epoch, or for one term after it was fenced. The wait counts from the answer to the revoker's own fence. | [`Standing::of`], [`Revoker::confirm`] |
//! | An answer that is missing, late, an error or a warning is an unknown outcome. It extends no lease and confirms nothing. | [`LeaseStore`] |
//!
//! **Why it is safe.** Take a revocation that was answered, and a replica whose memory lacks it. When
//! the revoker read the rows, after its commit,
//!
//! * *the replica had a row.* The row acknowledged an earlier epoch, so the revoker has fenced it and
//!   waited. Every renewal that succeeded was committed before the fence, and so was sent before the
//!   answer to it. The lease counts from there and is shorter than the wait on any two clocks within
//!   the drift, so it has ended.
//! * *the replica had no row.* It has joined since, so its first renewal was committed after the
//!   revocation and returned its epoch. The lease begins when the memory has that epoch.
//!
//! No clock is compared with another: terms are durations, and each is measured on one clock. A pause
//! of the revoker makes its wait longer; a pause of the replica uses up its lease. A lease that has
//! ended and begun again in the middle of a verification does not count, since the verification has
//! read the end of the earlier one.
//!
//! **What it assumes.** The clocks are within the drift of real time, and count sleep (a guest on
//! `kvm-clock` that its hypervisor pauses does not: [`ClockSource`]). An answered commit is never lost,
//! and a deposed primary cannot commit. The memory of a replica is never restored from a snapshot.
//! [`Replica::barrier`] needs no clock: it asks the database after each request has come, and requests
//! share the questions.
//!
//! The tests hold a model, the tasks of a replica in a simulated network, and [`Lease`] between threads
//! to this promise, and to finding each rule that is left out.

mod atomics;
mod boot_clock;
mod clock_source;
mod confirmation;
mod guard;
mod lease_store;
mod passage;
mod replica;
mod revoker;
mod shared_read;
mod tenure;
mod terms;

pub(crate) use boot_clock::{BootClock, BootTime, SystemBootClock};
pub(crate) use clock_source::ClockSource;
#[cfg(test)]
pub(crate) use confirmation::Standing;
pub(crate) use confirmation::{Confirmation, NextStep, Receipt};
pub(crate) use guard::Lease;
pub(crate) use lease_store::{ChangeReader, Generation, LeaseRow, LeaseStore, Renewal, ReplicaId};
pub(crate) use passage::Passage;
pub(crate) use replica::{Replica, ReplicaReads};
pub(crate) use revoker::Revoker;
#[cfg(test)]
pub(crate) use tenure::RenewalRequest;
pub(crate) use tenure::{LeaseChange, Tenure};
pub(crate) use terms::Terms;

#[cfg(test)]
mod tests;

//! The database: organisations, tenants and keys, safe against a power cut.
//!
//! Only [`crate::registry`] calls a [`Store`]. Verification never does: a store hands every change to
//! its [`Subscriber`]. A call that takes something away (a key revoked, a tenant suspended) succeeds
//! only after the change is durable *and* every subscriber of the same database, in every process,
//! has applied it. A call that gives something (a key, a tenant) waits for the same, and succeeds
//! without it after a bounded time: a subscriber that hangs refuses the new key for a while, but an
//! error would leave a key in the registry whose owner never saw it.
//!
//! Every change takes a [`Stamp`] and writes one row of the audit table in its own transaction.
//! The row is an entry of a transparency log, which grows in the same transaction.
//! Uses of keys are no change of the registry, and are not audited.

mod audit;
mod audit_logs;
#[cfg(test)]
#[path = "../../tests/authority/support/postgres.rs"]
mod cluster;
#[cfg(test)]
mod contract;
mod error;
mod leaks;
mod open;
mod policy;
mod postgres;
mod records;
mod sql;
mod sqlite;
mod usage;

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::lease::Passage;
use crate::transparency::{AuditEntry, TreeHash};

pub(crate) use audit::{AuditAction, AuditEvent, AuditTarget, Stamp};
pub(crate) use audit_logs::{LogRecord, LogRow, SignedRecord};
pub use error::{SqliteError, StoreError};
pub(crate) use leaks::{LeakOutcome, LeakPlace};
pub(crate) use open::{init, inspect, open, pepper_check, report, serve, set_pepper_check};
pub use policy::{KeyPolicy, PolicyViolation, PolicyViolations};
pub use postgres::{PostgresError, PostgresReport, PostgresUrl, PostgresUrlError, Standbys};
pub use records::{
    ApiKeyRecord, DataPlatform, Excess, KeyHash, MemberRecord, OrganisationRecord, Role,
    TenantRecord, TenantStatus, UnknownName,
};
pub(crate) use records::{
    ChildOutcome, CreateKeyOutcome, ExpiryWarning, IdempotencyRecord, KeyFilter, KeyOwner,
    OnceOutcome, Predecessor, QuietOutcome, RegistryChange, ResponseRecord, SuccessorOutcome,
    TenantFilter, TokenHash, Trip, TripwireOutcome, TripwireRecord,
};

pub(crate) use usage::{
    COUNTED_HOURS, KeyUsage, LastUse, UseCount, UseOutcome, first_hour, hour_of,
};

/// The most live children of one key.
pub(crate) const MOST_CHILDREN: u32 = 1_000;
/// The most live tripwires of one key.
pub(crate) const MOST_TRIPWIRES: u32 = 100;

/// The result of a store's work, some time later.
pub(crate) type StoreFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The number of a state of the registry. Every change that verification must know begins a new
/// epoch, in the order of the commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Epoch(pub(crate) i64);

/// Keeps in memory what verification needs.
pub(crate) trait Subscriber: Send + Sync {
    /// Brings the memory from the epoch of the last call to `epoch`. Applies all the changes between
    /// the two before it returns.
    ///
    /// Epochs never go back: a call with an earlier one than the last is ignored.
    fn apply(&self, epoch: Epoch, changes: Vec<RegistryChange>);

    /// Takes the number of processes that serve the database, this one included.
    fn share(&self, _replicas: NonZeroU32) {}
}

/// The state of a process among those that serve a database.
pub(crate) struct Replication {
    /// The rest of its lease; zero without one.
    pub(crate) lease: Duration,
    /// The last report on the database, while it can be reached.
    pub(crate) report: Option<PostgresReport>,
}

/// A database that holds the registry.
pub(crate) trait Store: Send + Sync {
    /// Returns whether changes can be written now, and reach the subscriber.
    fn is_healthy(&self) -> bool;

    /// Returns the state of this process among those that serve the database, if there may be
    /// several.
    fn replication(&self) -> Option<Replication>;

    /// Waits until the subscriber has every change that was committed before this call.
    fn barrier(&self) -> StoreFuture<'_, Passage>;

    /// Adds an organisation; a conflict if its name or external id is the name, id or external id
    /// of another one.
    fn create_organisation(&self, row: OrganisationRecord, stamp: Stamp) -> StoreFuture<'_, ()>;
    /// Renames an organisation, under the same rule; returns it as it is now.
    fn rename_organisation(
        &self,
        id: Uuid,
        name: String,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<OrganisationRecord>>;
    /// Returns every organisation, oldest first.
    fn organisations(&self) -> StoreFuture<'_, Vec<OrganisationRecord>>;
    /// Returns the organisation with this id or external id.
    fn organisation(&self, name: String) -> StoreFuture<'_, Option<OrganisationRecord>>;

    /// Records a user with a role. Audited when the user or the role is new.
    fn record_member(
        &self,
        organisation: Uuid,
        member: MemberRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, ()>;
    /// Returns the recorded users, oldest first.
    fn members(&self, organisation: Uuid) -> StoreFuture<'_, Vec<MemberRecord>>;
    /// Returns recorded users in the order of [`Store::members`], behind the one with this id; `None`
    /// if there is no such user.
    fn member_page(
        &self,
        organisation: Uuid,
        after: Option<String>,
        limit: u32,
    ) -> StoreFuture<'_, Option<Vec<MemberRecord>>>;

    /// Adds a tenant; a conflict if its slug is taken.
    fn create_tenant(&self, row: TenantRecord, stamp: Stamp) -> StoreFuture<'_, ()>;
    /// Adds a tenant, once for each request.
    fn create_tenant_once(
        &self,
        row: TenantRecord,
        response: ResponseRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, OnceOutcome<()>>;
    /// Returns tenants, oldest first.
    fn tenants(&self, filter: TenantFilter) -> StoreFuture<'_, Vec<TenantRecord>>;
    /// Returns the tenant with this id or slug.
    fn tenant(&self, name: String) -> StoreFuture<'_, Option<TenantRecord>>;
    /// Renames a tenant; returns it as it is now.
    fn rename_tenant(
        &self,
        id: Uuid,
        name: String,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<TenantRecord>>;
    /// Changes a tenant's status, unless the present one is final; returns the tenant as it is now.
    fn set_tenant_status(
        &self,
        id: Uuid,
        status: TenantStatus,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<TenantRecord>>;
    /// Changes a tenant's settings; returns the tenant as it is now.
    fn set_tenant_config(
        &self,
        id: Uuid,
        config: serde_json::Value,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<TenantRecord>>;

    /// Returns the policy of a tenant; the default one if it has none.
    fn policy(&self, tenant: Uuid) -> StoreFuture<'_, KeyPolicy>;
    /// Replaces the policy of a tenant; returns whether there is such a tenant.
    fn set_policy(&self, tenant: Uuid, policy: KeyPolicy, stamp: Stamp) -> StoreFuture<'_, bool>;

    /// Adds a key, unless the request of `once` was seen before. The policy of the tenant decides
    /// over this and every other new key.
    fn create_key(
        &self,
        row: ApiKeyRecord,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, CreateKeyOutcome>;
    /// Returns keys, newest first, the revoked and expired ones too.
    fn keys(&self, filter: KeyFilter) -> StoreFuture<'_, Vec<ApiKeyRecord>>;
    /// Returns one key.
    fn key(&self, id: Uuid) -> StoreFuture<'_, Option<ApiKeyRecord>>;
    /// Adds the pending successor of a key and revokes the one that was pending before, unless the
    /// request of `once` was seen before.
    fn create_successor(
        &self,
        successor: ApiKeyRecord,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, SuccessorOutcome>;
    /// Revokes the pending successor of a key, if there is one. With `once`, revokes only the
    /// successor that this request has made, and keeps the request from making one later.
    fn revoke_successor(
        &self,
        id: Uuid,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, ()>;
    /// Revokes the predecessor of a key, if there is one, and ends the key's own pending state.
    /// Returns whether the key is live and not paused: if not, nothing was done.
    fn revoke_predecessor(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, bool>;
    /// Returns the predecessor of a key, if the key is pending.
    fn predecessor(&self, id: Uuid) -> StoreFuture<'_, Option<Predecessor>>;
    /// Sets after how many seconds without a use the predecessor of a pending key ends; `None` is
    /// never. Returns whether the key is pending and live.
    fn set_quiet_end(&self, id: Uuid, seconds: Option<u32>, stamp: Stamp) -> StoreFuture<'_, bool>;
    /// Returns the pending keys whose predecessor is to end, because it was not used before
    /// `known_until` for long enough.
    fn quiet_rotations(&self, known_until: Timestamp) -> StoreFuture<'_, Vec<(Uuid, u32)>>;
    /// Revokes the predecessor of a key as [`Store::revoke_predecessor`] does, unless it or one of its
    /// children was used since a time.
    fn revoke_unused_predecessor(
        &self,
        id: Uuid,
        since: Timestamp,
        stamp: Stamp,
    ) -> StoreFuture<'_, QuietOutcome>;
    /// Adds a child of a key, unless the request of `once` was seen before, and cleans up children
    /// that have ended.
    fn create_child(
        &self,
        child: ApiKeyRecord,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, ChildOutcome>;
    /// Revokes the child that a request has made, and keeps the request from making one later.
    fn cancel_child(
        &self,
        parent: Uuid,
        once: IdempotencyRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, ()>;
    /// Sets a tripwire of a key, or changes its expiry.
    fn set_tripwire(
        &self,
        tripwire: TripwireRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, TripwireOutcome>;
    /// Sets a tripwire as [`Store::set_tripwire`] does, once for each request.
    fn set_tripwire_once(
        &self,
        tripwire: TripwireRecord,
        response: ResponseRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, OnceOutcome<TripwireOutcome>>;
    /// Records that the token of a tripwire was presented. The call itself queues the record.
    fn record_trip(&self, trip: Trip, stamp: Stamp) -> StoreFuture<'_, ()>;
    /// Revokes a key, once, and its pending successor with it; returns the key as it is now.
    fn revoke_key(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, Option<ApiKeyRecord>>;
    /// Revokes the key with this hash, which others can read, and its pending successor.
    fn report_leak(
        &self,
        hash: KeyHash,
        place: LeakPlace,
        stamp: Stamp,
    ) -> StoreFuture<'_, LeakOutcome>;
    /// Returns the receipt of a key's revocation, in JSON, if there is one.
    fn receipt(&self, key: Uuid) -> StoreFuture<'_, Option<String>>;
    /// Revokes all keys of a person, and returns their ids; `None` for an unknown person.
    fn revoke_keys_of(&self, owner: KeyOwner, stamp: Stamp) -> StoreFuture<'_, Option<Vec<Uuid>>>;
    /// Pauses a key, and the keys that would end with it; returns the key as it is now.
    fn pause_key(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, Option<ApiKeyRecord>>;
    /// Resumes a key, unless it is revoked or paused with another one; returns the key as it is now.
    fn resume_key(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, Option<ApiKeyRecord>>;
    /// Records uses of keys, and deletes counts that are older than [`COUNTED_HOURS`].
    fn record_use(&self, used: Vec<KeyUsage>, now: Timestamp) -> StoreFuture<'_, ()>;
    /// Returns the counts of a key's uses since an hour, oldest first.
    fn use_counts(&self, key: Uuid, since: Timestamp) -> StoreFuture<'_, Vec<UseCount>>;

    /// Returns how many live keys expire within so many days. Child keys do not count.
    fn expiring_keys(&self, days: u32, now: Timestamp) -> StoreFuture<'_, u64>;
    /// Claims warnings of keys that expire within so many days and have none for so few days, so that
    /// nothing else claims them before `until`.
    fn claim_expiry_warnings(
        &self,
        days: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'_, Vec<ExpiryWarning>>;
    /// Ends a claim: the warning was delivered.
    fn record_expiry_warning(&self, key: Uuid, days: u32) -> StoreFuture<'_, ()>;

    /// Returns every audit log, by name.
    fn audit_logs(&self) -> StoreFuture<'_, Vec<LogRecord>>;
    /// Returns the audit log with this name.
    fn audit_log(&self, name: String) -> StoreFuture<'_, Option<LogRecord>>;
    /// Returns audit logs with entries that no checkpoint covers.
    fn unsigned_audit_logs(&self, limit: u32) -> StoreFuture<'_, Vec<LogRecord>>;
    /// Returns the entries of an audit log from an index on.
    fn audit_rows(&self, log: String, from: u64, limit: u32) -> StoreFuture<'_, Vec<LogRow>>;
    /// Returns the hashes of one level of an audit log's tiles, from a position on.
    fn audit_hashes(
        &self,
        log: String,
        level: u8,
        from: u64,
        limit: u32,
    ) -> StoreFuture<'_, Vec<TreeHash>>;
    /// Returns the number of audit rows that are in no log.
    fn unlogged_audit_rows(&self) -> StoreFuture<'_, u64>;
    /// Returns one row of the audit table.
    fn audit_event(&self, id: i64) -> StoreFuture<'_, Option<AuditEntry>>;
    /// Returns the index of an audit row in a log.
    fn audit_index(&self, log: String, id: i64) -> StoreFuture<'_, Option<u64>>;
    /// Keeps a checkpoint as the last one, if the last one has `before` entries.
    fn sign_audit_log(&self, log: String, before: u64, signed: SignedRecord)
    -> StoreFuture<'_, ()>;
}

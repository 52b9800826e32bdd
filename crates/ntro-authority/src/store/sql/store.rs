//! The store over a database with a writer thread and a reader thread.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::worker::WriteTask;
use super::{
    Changed, ReadQuery, SqlSession, WorkerThread, WriteJob, audit, audit_logs, children, expiry,
    keys, leaks, organisations, owners, pauses, policies, quiet_rotation, responses, rotation,
    tenants, tripwires, usage,
};
use crate::lease::Passage;
use crate::store::postgres::{Receipts, ReplicaView};
use crate::store::{
    ApiKeyRecord, ChildOutcome, CreateKeyOutcome, ExpiryWarning, IdempotencyRecord, KeyFilter,
    KeyHash, KeyOwner, KeyPolicy, KeyUsage, LeakOutcome, LeakPlace, LogRecord, LogRow,
    MemberRecord, OnceOutcome, OrganisationRecord, Predecessor, QuietOutcome, Replication,
    ResponseRecord, SignedRecord, Stamp, Store, StoreError, StoreFuture, SuccessorOutcome,
    TenantFilter, TenantRecord, TenantStatus, Trip, TripwireOutcome, TripwireRecord, UseCount,
};
use crate::transparency::{AuditEntry, TreeHash};

/// The registry in a database.
pub(in crate::store) struct SqlStore {
    pub(in crate::store) writer: WorkerThread<Box<dyn WriteJob>>,
    pub(in crate::store) reader: WorkerThread<ReadQuery>,
    /// Whether changes can be written, as the writer sees it.
    pub(in crate::store) healthy: Arc<AtomicBool>,
    /// The replica that this process is, if there may be others.
    pub(in crate::store) replica: Option<ReplicaView>,
    /// The receipts of changes, if several processes may serve the database.
    pub(in crate::store) receipts: Option<Arc<Receipts>>,
    /// What the process holds as long as the store is open. Not the writer's: a process whose writer
    /// has ended still verifies keys, and learns of no revocation, so others must not take it for
    /// gone.
    pub(in crate::store) _held: Box<dyn Any + Send + Sync>,
}

impl SqlStore {
    /// Changes the registry, and writes the change's rows of the audit table in the same transaction.
    fn change<T: Send + 'static>(
        &self,
        strict: bool,
        stamp: Stamp,
        work: impl FnOnce(&dyn SqlSession, Timestamp) -> Result<Changed<T>, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.write(strict, move |session| {
            let changed = work(session, stamp.at)?;
            for event in &changed.events {
                audit::record(session, &stamp, event)?;
            }
            Ok(changed.value)
        })
    }

    fn write<T: Send + 'static>(
        &self,
        strict: bool,
        work: impl FnOnce(&dyn SqlSession) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (answer, answered) = oneshot::channel();
        let task = WriteTask::new(work, answer, strict);
        let sent = self.writer.send(Box::new(task));
        Box::pin(async move {
            sent?;
            answered.await.map_err(|_| StoreError::Ended)?
        })
    }

    pub(in crate::store) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn SqlSession) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (answer, answered) = oneshot::channel();
        let sent = self.reader.send(Box::new(move |session| {
            // The caller may have gone away.
            let _ = answer.send(work(session));
        }));
        Box::pin(async move {
            sent?;
            answered.await.map_err(|_| StoreError::Ended)?
        })
    }
}

impl Store for SqlStore {
    fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
            && self.replica.as_ref().is_none_or(|one| one.lease.holds())
            && self.writer.is_alive()
            && self.reader.is_alive()
    }

    fn replication(&self) -> Option<Replication> {
        let ReplicaView { lease, report, .. } = self.replica.as_ref()?;
        Some(Replication {
            lease: lease.until(lease.end()),
            report: *report.borrow(),
        })
    }

    fn barrier(&self) -> StoreFuture<'_, Passage> {
        Box::pin(async {
            let replica = self.replica.as_ref().ok_or(StoreError::Ended)?;
            let passage = replica.replica.barrier().await;
            passage.map_err(|_| StoreError::Ended)
        })
    }

    fn create_organisation(&self, row: OrganisationRecord, stamp: Stamp) -> StoreFuture<'_, ()> {
        self.change(false, stamp, move |session, _| {
            organisations::create(session, &row)
        })
    }

    fn rename_organisation(
        &self,
        id: Uuid,
        name: String,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<OrganisationRecord>> {
        self.change(false, stamp, move |session, _| {
            organisations::rename(session, id, name)
        })
    }

    fn organisations(&self) -> StoreFuture<'_, Vec<OrganisationRecord>> {
        self.read(organisations::list)
    }

    fn organisation(&self, name: String) -> StoreFuture<'_, Option<OrganisationRecord>> {
        self.read(move |session| organisations::find(session, &name))
    }

    fn record_member(
        &self,
        organisation: Uuid,
        member: MemberRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, ()> {
        self.change(false, stamp, move |session, _| {
            organisations::record_member(session, organisation, member)
        })
    }

    fn members(&self, organisation: Uuid) -> StoreFuture<'_, Vec<MemberRecord>> {
        self.read(move |session| organisations::members(session, organisation))
    }

    fn member_page(
        &self,
        organisation: Uuid,
        after: Option<String>,
        limit: u32,
    ) -> StoreFuture<'_, Option<Vec<MemberRecord>>> {
        self.read(move |session| {
            organisations::member_page(session, organisation, after.as_deref(), limit)
        })
    }

    fn create_tenant(&self, row: TenantRecord, stamp: Stamp) -> StoreFuture<'_, ()> {
        self.change(false, stamp, move |session, _| {
            tenants::create(session, &row)
        })
    }

    fn create_tenant_once(
        &self,
        row: TenantRecord,
        response: ResponseRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, OnceOutcome<()>> {
        self.change(false, stamp, move |session, at| {
            responses::once(session, &response, at, || tenants::create(session, &row))
        })
    }

    fn tenants(&self, filter: TenantFilter) -> StoreFuture<'_, Vec<TenantRecord>> {
        self.read(move |session| tenants::list(session, filter))
    }

    fn tenant(&self, name: String) -> StoreFuture<'_, Option<TenantRecord>> {
        self.read(move |session| tenants::find(session, &name))
    }

    fn rename_tenant(
        &self,
        id: Uuid,
        name: String,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<TenantRecord>> {
        self.change(false, stamp, move |session, at| {
            tenants::rename(session, id, &name, at)
        })
    }

    fn set_tenant_status(
        &self,
        id: Uuid,
        status: TenantStatus,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<TenantRecord>> {
        self.change(true, stamp, move |session, at| {
            tenants::set_status(session, id, status, at)
        })
    }

    fn set_tenant_config(
        &self,
        id: Uuid,
        config: Value,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<TenantRecord>> {
        self.change(false, stamp, move |session, at| {
            tenants::set_config(session, id, &config, at)
        })
    }

    fn policy(&self, tenant: Uuid) -> StoreFuture<'_, KeyPolicy> {
        self.read(move |session| policies::find(session, tenant))
    }

    fn set_policy(&self, tenant: Uuid, policy: KeyPolicy, stamp: Stamp) -> StoreFuture<'_, bool> {
        self.change(false, stamp, move |session, at| {
            policies::set(session, tenant, &policy, at)
        })
    }

    fn create_key(
        &self,
        row: ApiKeyRecord,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, CreateKeyOutcome> {
        self.change(false, stamp, move |session, _| {
            keys::create(session, &row, once.as_ref())
        })
    }

    fn keys(&self, filter: KeyFilter) -> StoreFuture<'_, Vec<ApiKeyRecord>> {
        self.read(move |session| keys::list(session, filter))
    }

    fn key(&self, id: Uuid) -> StoreFuture<'_, Option<ApiKeyRecord>> {
        self.read(move |session| keys::find(session, id))
    }

    fn create_successor(
        &self,
        successor: ApiKeyRecord,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, SuccessorOutcome> {
        self.change(true, stamp, move |session, at| {
            rotation::create_successor(session, &successor, once.as_ref(), at)
        })
    }

    fn revoke_successor(
        &self,
        id: Uuid,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, ()> {
        self.change(true, stamp, move |session, at| {
            rotation::revoke_successor(session, id, once.as_ref(), at)
        })
    }

    fn revoke_predecessor(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, bool> {
        self.change(true, stamp, move |session, at| {
            rotation::revoke_predecessor(session, id, at)
        })
    }

    fn predecessor(&self, id: Uuid) -> StoreFuture<'_, Option<Predecessor>> {
        self.read(move |session| quiet_rotation::find(session, id))
    }

    fn set_quiet_end(&self, id: Uuid, seconds: Option<u32>, stamp: Stamp) -> StoreFuture<'_, bool> {
        self.change(false, stamp, move |session, at| {
            quiet_rotation::set_end(session, id, seconds, at)
        })
    }

    fn quiet_rotations(&self, known_until: Timestamp) -> StoreFuture<'_, Vec<(Uuid, u32)>> {
        self.read(move |session| quiet_rotation::due(session, known_until))
    }

    fn revoke_unused_predecessor(
        &self,
        id: Uuid,
        since: Timestamp,
        stamp: Stamp,
    ) -> StoreFuture<'_, QuietOutcome> {
        self.change(true, stamp, move |session, at| {
            quiet_rotation::revoke_unused(session, id, since, at)
        })
    }

    fn create_child(
        &self,
        child: ApiKeyRecord,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, ChildOutcome> {
        self.change(false, stamp, move |session, at| {
            children::create(session, &child, once.as_ref(), at)
        })
    }

    fn cancel_child(
        &self,
        parent: Uuid,
        once: IdempotencyRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, ()> {
        self.change(true, stamp, move |session, at| {
            children::cancel(session, parent, &once, at)
        })
    }

    fn set_tripwire(
        &self,
        tripwire: TripwireRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, TripwireOutcome> {
        self.change(false, stamp, move |session, at| {
            tripwires::set(session, &tripwire, at)
        })
    }

    fn set_tripwire_once(
        &self,
        tripwire: TripwireRecord,
        response: ResponseRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, OnceOutcome<TripwireOutcome>> {
        self.change(false, stamp, move |session, at| {
            responses::once(session, &response, at, || {
                tripwires::set(session, &tripwire, at)
            })
        })
    }

    fn record_trip(&self, trip: Trip, stamp: Stamp) -> StoreFuture<'_, ()> {
        self.change(false, stamp, move |session, at| {
            tripwires::record(session, &trip, at)
        })
    }

    fn revoke_key(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, Option<ApiKeyRecord>> {
        self.change(true, stamp, move |session, at| {
            keys::revoke(session, id, at)
        })
    }

    fn report_leak(
        &self,
        hash: KeyHash,
        place: LeakPlace,
        stamp: Stamp,
    ) -> StoreFuture<'_, LeakOutcome> {
        self.change(true, stamp, move |session, at| {
            leaks::report(session, &hash, &place, at)
        })
    }

    fn receipt(&self, key: Uuid) -> StoreFuture<'_, Option<String>> {
        match &self.receipts {
            None => Box::pin(std::future::ready(Ok(None))),
            Some(receipts) => {
                let receipts = receipts.clone();
                self.read(move |session| receipts.find(session, key))
            }
        }
    }

    fn revoke_keys_of(&self, owner: KeyOwner, stamp: Stamp) -> StoreFuture<'_, Option<Vec<Uuid>>> {
        self.change(true, stamp, move |session, at| {
            owners::revoke_keys(session, &owner, at)
        })
    }

    fn pause_key(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, Option<ApiKeyRecord>> {
        self.change(true, stamp, move |session, at| {
            pauses::pause(session, id, at)
        })
    }

    fn resume_key(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, Option<ApiKeyRecord>> {
        self.change(false, stamp, move |session, _| pauses::resume(session, id))
    }

    fn record_use(&self, used: Vec<KeyUsage>, now: Timestamp) -> StoreFuture<'_, ()> {
        self.write(false, move |session| usage::record(session, &used, now))
    }

    fn use_counts(&self, key: Uuid, since: Timestamp) -> StoreFuture<'_, Vec<UseCount>> {
        self.read(move |session| usage::counts(session, key, since))
    }

    fn expiring_keys(&self, days: u32, now: Timestamp) -> StoreFuture<'_, u64> {
        self.read(move |session| expiry::count(session, days, now))
    }

    fn claim_expiry_warnings(
        &self,
        days: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'_, Vec<ExpiryWarning>> {
        self.write(false, move |session| {
            expiry::claim(session, days, now, until)
        })
    }

    fn record_expiry_warning(&self, key: Uuid, days: u32) -> StoreFuture<'_, ()> {
        self.write(false, move |session| expiry::record(session, key, days))
    }

    fn audit_logs(&self) -> StoreFuture<'_, Vec<LogRecord>> {
        self.read(audit_logs::list)
    }

    fn audit_log(&self, name: String) -> StoreFuture<'_, Option<LogRecord>> {
        self.read(move |session| audit_logs::find(session, &name))
    }

    fn unsigned_audit_logs(&self, limit: u32) -> StoreFuture<'_, Vec<LogRecord>> {
        self.read(move |session| audit_logs::unsigned(session, limit))
    }

    fn audit_rows(&self, log: String, from: u64, limit: u32) -> StoreFuture<'_, Vec<LogRow>> {
        self.read(move |session| audit_logs::rows(session, &log, from, limit))
    }

    fn audit_hashes(
        &self,
        log: String,
        level: u8,
        from: u64,
        limit: u32,
    ) -> StoreFuture<'_, Vec<TreeHash>> {
        self.read(move |session| audit_logs::hashes(session, &log, level, from, limit))
    }

    fn unlogged_audit_rows(&self) -> StoreFuture<'_, u64> {
        self.read(audit_logs::unlogged)
    }

    fn audit_event(&self, id: i64) -> StoreFuture<'_, Option<AuditEntry>> {
        self.read(move |session| audit_logs::event(session, id))
    }

    fn audit_index(&self, log: String, id: i64) -> StoreFuture<'_, Option<u64>> {
        self.read(move |session| audit_logs::index(session, &log, id))
    }

    fn sign_audit_log(
        &self,
        log: String,
        before: u64,
        signed: SignedRecord,
    ) -> StoreFuture<'_, ()> {
        self.write(false, move |session| {
            audit_logs::sign(session, &log, before, &signed)
        })
    }
}

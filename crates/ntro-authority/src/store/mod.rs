//! The registry: organisations, tenants and keys, in a database that survives a power cut.
//!
//! Whoever verifies keys never asks a [`Store`]: it follows one. A store hands every change to its
//! [`Subscriber`] and promises that a call that takes something away (a key revoked, a tenant
//! suspended) succeeds only after that is durable *and* every follower of the same database, in
//! whatever process, has applied it. A call that gives something (a key, a tenant) waits for the
//! same, and succeeds without it after a bounded time: a follower that hangs refuses the new key
//! for a while, but an error would leave a key in the registry that nobody was shown.

mod error;
mod rows;
mod sqlite;

use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use uuid::Uuid;

pub use error::{SqliteError, StoreError};
pub(super) use rows::{
    Change, Created, IdempotencyRecord, KeyFilter, SuccessorOutcome, TenantFilter,
};
pub use rows::{
    DataPlatform, Key, KeyHash, Member, Organisation, Role, Tenant, TenantStatus, UnknownName,
};
pub(super) use sqlite::Sqlite;

/// What a store answers, some time later.
pub(super) type StoreFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Someone who verifies keys out of memory.
pub(super) trait Subscriber: Send + Sync {
    /// Applies changes, all of them before it returns.
    fn apply(&self, changes: Vec<Change>);
}

/// A database that holds the registry.
pub(super) trait Store: Send + Sync {
    /// Returns whether changes can be written and followed at the moment.
    fn is_healthy(&self) -> bool;

    /// Adds an organisation; a conflict if its external id is taken, or another one's id.
    fn create_organisation(&self, row: Organisation) -> StoreFuture<'_, ()>;
    /// Returns every organisation, oldest first.
    fn organisations(&self) -> StoreFuture<'_, Vec<Organisation>>;
    /// Returns the organisation with this id or external id.
    fn organisation(&self, name: String) -> StoreFuture<'_, Option<Organisation>>;

    /// Writes down that a user was seen with a role.
    fn record_member(&self, organisation: Uuid, member: Member) -> StoreFuture<'_, ()>;
    /// Returns the users seen, longest known first.
    fn members(&self, organisation: Uuid) -> StoreFuture<'_, Vec<Member>>;

    /// Adds a tenant; a conflict if its slug is taken.
    fn create_tenant(&self, row: Tenant) -> StoreFuture<'_, ()>;
    /// Returns tenants, oldest first.
    fn tenants(&self, filter: TenantFilter) -> StoreFuture<'_, Vec<Tenant>>;
    /// Returns the tenant with this id or slug.
    fn tenant(&self, name: String) -> StoreFuture<'_, Option<Tenant>>;
    /// Changes a tenant's status, unless that is final; returns the tenant as it is now.
    fn set_tenant_status(
        &self,
        id: Uuid,
        status: TenantStatus,
        at: Timestamp,
    ) -> StoreFuture<'_, Option<Tenant>>;
    /// Changes a tenant's settings; returns the tenant as it is now.
    fn set_tenant_config(
        &self,
        id: Uuid,
        config: serde_json::Value,
        at: Timestamp,
    ) -> StoreFuture<'_, Option<Tenant>>;

    /// Adds a key, unless `once` says that the same request has made one before.
    fn create_key(&self, row: Key, once: Option<IdempotencyRecord>) -> StoreFuture<'_, Created>;
    /// Returns keys, newest first, the revoked and expired ones too.
    fn keys(&self, filter: KeyFilter) -> StoreFuture<'_, Vec<Key>>;
    /// Returns one key.
    fn key(&self, id: Uuid) -> StoreFuture<'_, Option<Key>>;
    /// Adds the successor of a key, pending, and revokes the one that was pending before; not if
    /// the request that `once` names was seen before.
    fn create_successor(
        &self,
        successor: Key,
        once: Option<IdempotencyRecord>,
    ) -> StoreFuture<'_, SuccessorOutcome>;
    /// Revokes the pending successor of a key, if there is one; with `once`, the one alone that
    /// this request has made, and never any that it may yet make.
    fn revoke_successor(
        &self,
        id: Uuid,
        once: Option<IdempotencyRecord>,
        at: Timestamp,
    ) -> StoreFuture<'_, ()>;
    /// Revokes the predecessor of a key, if there is one, and settles the key in its place.
    /// Returns whether the key is live: if not, nothing was done.
    fn revoke_predecessor(&self, id: Uuid, at: Timestamp) -> StoreFuture<'_, bool>;
    /// Revokes a key, once, and its pending successor with it; returns the key as it is now.
    fn revoke_key(&self, id: Uuid, at: Timestamp) -> StoreFuture<'_, Option<Key>>;
    /// Writes down when keys were last used.
    fn touch(&self, used: Vec<(Uuid, Timestamp)>) -> StoreFuture<'_, ()>;
}

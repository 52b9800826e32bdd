//! The rules of the registry in SQL, once for every database.
//!
//! A rule is a function over a [`SqlSession`]. [`SqlStore`] queues it for the writer or the reader of
//! its database, and adds the row of the audit table. The text of the statements serves every
//! database: nothing in it is particular to one of them.

mod audit;
mod audit_logs;
mod children;
mod columns;
mod expiry;
mod feed;
mod idempotency;
mod keys;
mod leaks;
mod migrations;
mod organisations;
mod owners;
mod pauses;
mod policies;
mod quiet_rotation;
mod responses;
mod rotation;
mod session;
mod store;
mod tenants;
mod tripwires;
mod usage;
mod worker;

pub(super) use audit_logs::build as build_audit_logs;
pub(super) use feed::{epoch, next_epoch, registry_changes};
pub(super) use migrations::{AUDIT_LOGS, MIGRATIONS};
pub(super) use session::{SqlRow, SqlSession, SqlValue, values};
pub(super) use store::SqlStore;
pub(super) use worker::{ReadQuery, WorkerThread, WriteJob};

use super::AuditEvent;

/// The result of a change, and its rows for the audit table: none if it changed nothing.
struct Changed<T> {
    value: T,
    events: Vec<AuditEvent>,
}

impl<T> Changed<T> {
    fn audited(value: T, event: AuditEvent) -> Self {
        Self {
            value,
            events: vec![event],
        }
    }

    const fn nothing(value: T) -> Self {
        Self {
            value,
            events: Vec::new(),
        }
    }
}

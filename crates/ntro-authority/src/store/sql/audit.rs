//! Writes the audit table and its logs.

use super::{SqlSession, audit_logs, values};
use crate::actor::Actor;
use crate::store::{AuditEvent, AuditTarget, Stamp, StoreError};
use crate::transparency::AuditEntry;

/// Adds the row of a change, and its entry in a log, in the transaction that is open.
pub(super) fn record(
    session: &dyn SqlSession,
    stamp: &Stamp,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    let (actor_issuer, actor_id) = match &stamp.actor {
        Actor::User { issuer, subject } => (Some(issuer.clone()), Some(subject.clone())),
        Actor::Key(id) => (None, Some(id.to_string())),
        Actor::LeakReport(reporter) => (None, Some(reporter.as_str().to_owned())),
        Actor::CommandLine | Actor::System => (None, None),
    };
    let target_id = match &event.target {
        AuditTarget::Organisation(id) | AuditTarget::Tenant(id) | AuditTarget::Key(id) => {
            id.to_string()
        }
        AuditTarget::Member(user_id) => user_id.clone(),
    };
    let mut entry = AuditEntry {
        id: 0,
        at: stamp.at.as_millisecond(),
        actor_kind: stamp.actor.kind().to_owned(),
        actor_issuer,
        actor_id,
        action: event.action.as_str().to_owned(),
        target_kind: event.target.kind().to_owned(),
        target_id,
        organisation_id: event.organisation.map(|id| id.to_string()),
        tenant_id: event.tenant.map(|id| id.to_string()),
        details: event.details.to_string(),
    };
    let written = session.first(
        "INSERT INTO audit (at, actor_kind, actor_issuer, actor_id, action, target_kind, \
         target_id, organisation_id, tenant_id, details) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, \
         coalesce(?8, (SELECT organisation_id FROM tenants WHERE id = ?9)), ?9, ?10) \
         RETURNING id, organisation_id",
        values![
            entry.at,
            &entry.actor_kind,
            entry.actor_issuer.as_ref(),
            entry.actor_id.as_ref(),
            &entry.action,
            &entry.target_kind,
            &entry.target_id,
            entry.organisation_id.as_ref(),
            entry.tenant_id.as_ref(),
            &entry.details,
        ],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    (entry.id, entry.organisation_id) = written.ok_or(StoreError::Invalid { what: "row" })?;
    audit_logs::append(session, &entry)
}

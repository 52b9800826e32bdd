//! Writes the audit table.

use super::{SqlSession, values};
use crate::actor::Actor;
use crate::store::{AuditEvent, AuditTarget, Stamp, StoreError};

/// Adds the row of a change, in the transaction that is open.
pub(super) fn record(
    session: &dyn SqlSession,
    stamp: &Stamp,
    event: &AuditEvent,
) -> Result<(), StoreError> {
    let (issuer, actor) = match &stamp.actor {
        Actor::User { issuer, subject } => (Some(issuer), Some(subject.clone())),
        Actor::Key(id) => (None, Some(id.to_string())),
        Actor::CommandLine | Actor::System => (None, None),
    };
    let target = match &event.target {
        AuditTarget::Organisation(id) | AuditTarget::Tenant(id) | AuditTarget::Key(id) => {
            id.to_string()
        }
        AuditTarget::Member(user_id) => user_id.clone(),
    };
    session.execute(
        "INSERT INTO audit (at, actor_kind, actor_issuer, actor_id, action, target_kind, \
         target_id, organisation_id, tenant_id, details) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, \
         coalesce(?8, (SELECT organisation_id FROM tenants WHERE id = ?9)), ?9, ?10)",
        values![
            stamp.at,
            stamp.actor.kind(),
            issuer,
            actor,
            event.action.as_str(),
            event.target.kind(),
            target,
            event.organisation,
            event.tenant,
            event.details.to_string(),
        ],
    )?;
    Ok(())
}

//! Writes the audit table.

use rusqlite::{Connection, params};

use super::columns::{id_text, millis};
use crate::actor::Actor;
use crate::store::{AuditEvent, AuditTarget, Stamp};

/// Adds the row of a change, in the transaction that is open.
pub(super) fn record(
    connection: &Connection,
    stamp: &Stamp,
    event: &AuditEvent,
) -> rusqlite::Result<()> {
    let (issuer, actor) = match &stamp.actor {
        Actor::User { issuer, subject } => (Some(issuer.as_str()), Some(subject.clone())),
        Actor::Key(id) => (None, Some(id_text(*id))),
        Actor::CommandLine | Actor::System => (None, None),
    };
    let target = match &event.target {
        AuditTarget::Organisation(id) | AuditTarget::Tenant(id) | AuditTarget::Key(id) => {
            id_text(*id)
        }
        AuditTarget::Member(user_id) => user_id.clone(),
    };
    connection
        .prepare_cached(
            "INSERT INTO audit (at, actor_kind, actor_issuer, actor_id, action, target_kind, \
             target_id, organisation_id, tenant_id, details) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, \
             coalesce(?8, (SELECT organisation_id FROM tenants WHERE id = ?9)), ?9, ?10)",
        )?
        .execute(params![
            millis(stamp.at),
            stamp.actor.kind(),
            issuer,
            actor,
            event.action.as_str(),
            event.target.kind(),
            target,
            event.organisation.map(id_text),
            event.tenant.map(id_text),
            event.details.to_string(),
        ])?;
    Ok(())
}

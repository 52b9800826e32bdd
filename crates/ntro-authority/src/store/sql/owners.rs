//! The keys of a person.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::children;
use super::columns::{KEY, key};
use super::keys::key_event;
use super::{Changed, SqlSession, next_epoch, values};
use crate::store::{AuditAction, AuditEvent, AuditTarget, KeyOwner, StoreError};

pub(super) fn revoke_keys(
    session: &dyn SqlSession,
    owner: &KeyOwner,
    at: Timestamp,
) -> Result<Changed<Option<Vec<Uuid>>>, StoreError> {
    // A new epoch even where no key is live: see `keys::revoke`.
    let changed = next_epoch(session)?;
    if !is_known(session, owner)? {
        return Ok(Changed::nothing(None));
    }
    // Children end with their parents.
    let sql = format!(
        "UPDATE api_keys SET revoked_at = ?1, changed = ?2 \
         WHERE owner = ?3 AND parent IS NULL AND revoked_at IS NULL \
         AND tenant_id IN (SELECT id FROM tenants WHERE organisation_id = ?4) \
         AND (CAST(?5 AS TEXT) IS NULL OR tenant_id = ?5) RETURNING {KEY}"
    );
    let values = values![
        at,
        changed,
        &owner.user_id,
        owner.organisation,
        owner.tenant
    ];
    let revoked = session.rows(&sql, values, key)?;
    let mut events = Vec::new();
    for row in &revoked {
        let details = json!({
            "prefix": row.prefix.as_str(),
            "owner": owner.user_id,
            "children": children::ended(session, row.id, changed)?,
        });
        let tenant = Some(row.tenant_id);
        events.push(key_event(AuditAction::RevokeKey, row.id, tenant, details));
    }
    if !revoked.is_empty() {
        events.push(AuditEvent {
            action: AuditAction::RevokeMemberKeys,
            target: AuditTarget::Member(owner.user_id.clone()),
            organisation: Some(owner.organisation),
            tenant: owner.tenant,
            details: json!({"keys": revoked.len()}),
        });
    }
    let ids = revoked.iter().map(|row| row.id).collect();
    Ok(Changed {
        value: Some(ids),
        events,
    })
}

/// Returns whether the organisation has seen the person, or has a key of theirs.
fn is_known(session: &dyn SqlSession, owner: &KeyOwner) -> Result<bool, StoreError> {
    let known = session.first(
        "SELECT (SELECT count(*) FROM members WHERE organisation_id = ?1 AND user_id = ?2) \
         + (SELECT count(*) FROM api_keys WHERE owner = ?2 \
         AND tenant_id IN (SELECT id FROM tenants WHERE organisation_id = ?1))",
        values![owner.organisation, &owner.user_id],
        |row| row.get::<i64>(0),
    )?;
    Ok(known.is_some_and(|known| known > 0))
}

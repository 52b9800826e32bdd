//! Keys that replace themselves.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::columns::{KEY, key};
use super::idempotency::{Undone, remember, seen, undo};
use super::keys::{insert_key, is_live, key_event, revoke_pending, tenant_of};
use super::{Changed, SqlSession, children, next_epoch, policies, values};
use crate::store::{ApiKeyRecord, AuditAction, IdempotencyRecord, StoreError, SuccessorOutcome};

pub(super) fn create_successor(
    session: &dyn SqlSession,
    successor: &ApiKeyRecord,
    once: Option<&IdempotencyRecord>,
    at: Timestamp,
) -> Result<Changed<SuccessorOutcome>, StoreError> {
    let Some(predecessor) = successor.predecessor else {
        return Ok(Changed::nothing(SuccessorOutcome::Gone));
    };
    let sql = format!("SELECT {KEY} FROM api_keys WHERE id = ?1 AND revoked_at IS NULL");
    let refusal = match session.first(&sql, values![predecessor], key)? {
        None => Some(SuccessorOutcome::Gone),
        Some(row) if row.paused_at.is_some() => Some(SuccessorOutcome::Paused),
        Some(row) if !row.may_rotate => Some(SuccessorOutcome::Forbidden),
        Some(row) if row.is_pending => Some(SuccessorOutcome::Pending),
        Some(_) => None,
    };
    if let Some(refusal) = refusal {
        return Ok(Changed::nothing(refusal));
    }
    if let Some(once) = once
        && seen(session, once)?.is_some()
    {
        return Ok(Changed::nothing(SuccessorOutcome::Repeated));
    }
    policies::check(session, successor)?;
    let changed = next_epoch(session)?;
    let replaced = revoke_pending(session, predecessor, at, changed)?;
    insert_key(session, successor, changed)?;
    if let Some(once) = once {
        remember(session, once, successor.id, at)?;
    }
    let details = json!({
        "prefix": successor.prefix.as_str(),
        "expires_at": successor.expires_at,
        "predecessor": predecessor.to_string(),
        "replaced": replaced.map(|id| id.to_string()),
    });
    let event = key_event(
        AuditAction::CreateSuccessor,
        successor.id,
        Some(successor.tenant_id),
        details,
    );
    Ok(Changed::audited(SuccessorOutcome::New, event))
}

pub(super) fn revoke_successor(
    session: &dyn SqlSession,
    id: Uuid,
    once: Option<&IdempotencyRecord>,
    at: Timestamp,
) -> Result<Changed<()>, StoreError> {
    // A new epoch even where nothing is left to revoke: see `keys::revoke`.
    let changed = next_epoch(session)?;
    let undone = match once {
        None => revoke_pending(session, id, at, changed)?.map(|key| Undone {
            key,
            cancelled: false,
        }),
        Some(once) => {
            let relation = "predecessor = ?2 AND pending = 1";
            undo(session, once, id, relation, (at, changed))?
        }
    };
    let Some(undone) = undone else {
        return Ok(Changed::nothing(()));
    };
    let event = key_event(
        AuditAction::RevokeSuccessor,
        undone.key,
        tenant_of(session, id)?,
        json!({"predecessor": id.to_string(), "cancelled": undone.cancelled}),
    );
    Ok(Changed::audited((), event))
}

pub(super) fn revoke_predecessor(
    session: &dyn SqlSession,
    id: Uuid,
    at: Timestamp,
) -> Result<Changed<bool>, StoreError> {
    let changed = next_epoch(session)?;
    let sql = format!(
        "UPDATE api_keys SET pending = 0, changed = ?2 \
         WHERE id = ?1 AND revoked_at IS NULL AND paused_at IS NULL RETURNING {KEY}"
    );
    let Some(key) = session.first(&sql, values![id, changed], key)? else {
        return Ok(Changed::nothing(false));
    };
    let Some(predecessor) = key.predecessor else {
        return Ok(Changed::nothing(true));
    };
    let was_live = is_live(session, predecessor)?;
    session.execute(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2), changed = ?3 WHERE id = ?1",
        values![predecessor, at, changed],
    )?;
    session.execute(
        "UPDATE tripwires SET key_id = ?2, changed = ?3 WHERE key_id = ?1",
        values![predecessor, id, changed],
    )?;
    if !was_live {
        return Ok(Changed::nothing(true));
    }
    let event = key_event(
        AuditAction::RevokePredecessor,
        predecessor,
        Some(key.tenant_id),
        json!({
            "successor": id.to_string(),
            "children": children::ended(session, predecessor, changed)?,
        }),
    );
    Ok(Changed::audited(true, event))
}

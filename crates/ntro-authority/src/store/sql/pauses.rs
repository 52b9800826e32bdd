//! Keys that are refused until they are resumed.
//!
//! A pause reaches the keys that would end with the key: its children, its pending successor and the
//! children of that. `paused_with` names the key that a key is paused with.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::columns::{KEY, key};
use super::keys::{find, key_event};
use super::{Changed, SqlSession, next_epoch, values};
use crate::store::{ApiKeyRecord, AuditAction, StoreError};

pub(super) fn pause(
    session: &dyn SqlSession,
    id: Uuid,
    at: Timestamp,
) -> Result<Changed<Option<ApiKeyRecord>>, StoreError> {
    // A new epoch even for a key that is paused already: see `keys::revoke`.
    let changed = next_epoch(session)?;
    let was_paused = session.number(
        "SELECT count(*) FROM api_keys WHERE id = ?1 AND paused_at IS NOT NULL \
         AND paused_with IS NULL",
        values![id],
    )? > 0;
    let sql = format!(
        "UPDATE api_keys SET paused_at = coalesce(paused_at, ?2), paused_with = NULL, \
         changed = ?3 WHERE id = ?1 AND revoked_at IS NULL RETURNING {KEY}"
    );
    let Some(row) = session.first(&sql, values![id, at, changed], key)? else {
        return Ok(Changed::nothing(find(session, id)?));
    };
    let with = session.execute(
        "UPDATE api_keys SET paused_at = ?2, paused_with = ?1, changed = ?3 \
         WHERE revoked_at IS NULL AND paused_at IS NULL AND id IN ( \
         SELECT id FROM api_keys WHERE parent = ?1 UNION ALL \
         SELECT id FROM api_keys WHERE predecessor = ?1 AND pending = 1 UNION ALL \
         SELECT id FROM api_keys WHERE parent IN \
         (SELECT id FROM api_keys WHERE predecessor = ?1 AND pending = 1))",
        values![id, at, changed],
    )?;
    if was_paused {
        return Ok(Changed::nothing(Some(row)));
    }
    let details = json!({"prefix": row.prefix.as_str(), "with_it": with});
    let event = key_event(AuditAction::PauseKey, id, Some(row.tenant_id), details);
    Ok(Changed::audited(Some(row), event))
}

/// Resumes a key, unless it is paused with another one.
pub(super) fn resume(
    session: &dyn SqlSession,
    id: Uuid,
) -> Result<Changed<Option<ApiKeyRecord>>, StoreError> {
    let changed = next_epoch(session)?;
    let sql = format!(
        "UPDATE api_keys SET paused_at = NULL, changed = ?2 WHERE id = ?1 \
         AND revoked_at IS NULL AND paused_at IS NOT NULL AND paused_with IS NULL RETURNING {KEY}"
    );
    let Some(row) = session.first(&sql, values![id, changed], key)? else {
        return Ok(Changed::nothing(find(session, id)?));
    };
    let with = session.execute(
        "UPDATE api_keys SET paused_at = NULL, paused_with = NULL, changed = ?2 \
         WHERE paused_with = ?1",
        values![id, changed],
    )?;
    let details = json!({"prefix": row.prefix.as_str(), "with_it": with});
    let event = key_event(AuditAction::ResumeKey, id, Some(row.tenant_id), details);
    Ok(Changed::audited(Some(row), event))
}

//! Keys.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::children;
use super::columns::{KEY, key, scopes_text};
use super::idempotency::{Earlier, earlier, remember};
use super::{Changed, SqlSession, next_epoch, policies, values};
use crate::store::{
    ApiKeyRecord, AuditAction, AuditEvent, AuditTarget, CreateKeyOutcome, IdempotencyRecord,
    KeyFilter, StoreError,
};
use ntro_base::Provider;

pub(super) fn create(
    session: &dyn SqlSession,
    row: &ApiKeyRecord,
    once: Option<&IdempotencyRecord>,
) -> Result<Changed<CreateKeyOutcome>, StoreError> {
    if let Some(earlier) = earlier(session, once)? {
        return Ok(Changed::nothing(match earlier {
            Earlier::Same(key) => CreateKeyOutcome::Replayed(key),
            Earlier::Other => CreateKeyOutcome::Conflict,
        }));
    }
    policies::check(session, row)?;
    let changed = next_epoch(session)?;
    insert_key(session, row, changed)?;
    if let Some(once) = once {
        remember(session, once, row.id, row.created_at)?;
    }
    let details = json!({
        "name": row.name.as_str(),
        "prefix": row.prefix.as_str(),
        "provider": row.provider.as_str(),
        "scopes": scopes_text(&row.scopes),
        "expires_at": row.expires_at,
        "may_rotate": row.may_rotate,
        "owner": row.owner,
    });
    let event = key_event(AuditAction::CreateKey, row.id, Some(row.tenant_id), details);
    Ok(Changed::audited(CreateKeyOutcome::New, event))
}

pub(super) fn list(
    session: &dyn SqlSession,
    filter: KeyFilter,
) -> Result<Vec<ApiKeyRecord>, StoreError> {
    // The casts give the values a type where they are NULL.
    let sql = format!(
        "SELECT {KEY} FROM api_keys WHERE (CAST(?1 AS TEXT) IS NULL OR tenant_id = ?1) \
         AND (CAST(?2 AS TEXT) IS NULL OR provider = ?2) \
         AND (CAST(?5 AS TEXT) IS NULL OR number < (SELECT number FROM api_keys WHERE id = ?5)) \
         ORDER BY number DESC LIMIT ?3 OFFSET ?4"
    );
    let values = values![
        filter.tenant,
        filter.provider.map(Provider::as_str),
        filter.limit,
        i64::try_from(filter.offset).unwrap_or(i64::MAX),
        filter.after
    ];
    session.rows(&sql, values, key)
}

pub(super) fn find(session: &dyn SqlSession, id: Uuid) -> Result<Option<ApiKeyRecord>, StoreError> {
    let sql = format!("SELECT {KEY} FROM api_keys WHERE id = ?1");
    session.first(&sql, values![id], key)
}

pub(super) fn revoke(
    session: &dyn SqlSession,
    id: Uuid,
    at: Timestamp,
) -> Result<Changed<Option<ApiKeyRecord>>, StoreError> {
    // A new epoch even for a key that is revoked already: the first call may have ended without
    // confirmation, and this one waits for it.
    let changed = next_epoch(session)?;
    let was_live = is_live(session, id)?;
    let successor = revoke_pending(session, id, at, changed)?;
    let sql = format!(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2), changed = ?3 \
         WHERE id = ?1 RETURNING {KEY}"
    );
    let key = session.first(&sql, values![id, at, changed], key)?;
    let Some(row) = key.as_ref().filter(|_| was_live) else {
        return Ok(Changed::nothing(key));
    };
    let details = json!({
        "prefix": row.prefix.as_str(),
        "successor": successor.map(|id| id.to_string()),
        "children": children::ended(session, id, changed)?,
    });
    let event = key_event(AuditAction::RevokeKey, id, Some(row.tenant_id), details);
    Ok(Changed::audited(key, event))
}

/// Revokes the pending successor of a key and returns its id. A pending key has no successor: see
/// [`SuccessorOutcome::Pending`](crate::store::SuccessorOutcome::Pending).
pub(super) fn revoke_pending(
    session: &dyn SqlSession,
    id: Uuid,
    at: Timestamp,
    changed: i64,
) -> Result<Option<Uuid>, StoreError> {
    session.first(
        "UPDATE api_keys SET revoked_at = ?2, changed = ?3 \
         WHERE predecessor = ?1 AND pending = 1 AND revoked_at IS NULL RETURNING id",
        values![id, at, changed],
        |row| row.get(0),
    )
}

pub(super) fn insert_key(
    session: &dyn SqlSession,
    row: &ApiKeyRecord,
    changed: i64,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO api_keys ({KEY}, changed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
         ?22)"
    );
    session.execute(
        &sql,
        values![
            row.id,
            row.tenant_id,
            row.provider.as_str(),
            row.name.as_str(),
            row.prefix.as_str(),
            &row.hash.0,
            scopes_text(&row.scopes),
            row.created_at,
            row.created_by.as_ref(),
            row.expires_at,
            row.last_used_at,
            row.revoked_at,
            row.may_rotate,
            row.predecessor,
            row.is_pending,
            row.parent,
            row.tripped_at,
            row.paused_at,
            row.owner.as_ref(),
            row.last_used_address.map(|address| address.to_string()),
            row.last_used_agent.as_ref(),
            changed
        ],
    )?;
    Ok(())
}

pub(super) fn is_live(session: &dyn SqlSession, id: Uuid) -> Result<bool, StoreError> {
    let live = session.number(
        "SELECT count(*) FROM api_keys WHERE id = ?1 AND revoked_at IS NULL",
        values![id],
    )?;
    Ok(live > 0)
}

pub(super) fn tenant_of(session: &dyn SqlSession, key: Uuid) -> Result<Option<Uuid>, StoreError> {
    session.first(
        "SELECT tenant_id FROM api_keys WHERE id = ?1",
        values![key],
        |row| row.get(0),
    )
}

pub(super) fn key_event(
    action: AuditAction,
    id: Uuid,
    tenant: Option<Uuid>,
    details: Value,
) -> AuditEvent {
    AuditEvent {
        action,
        target: AuditTarget::Key(id),
        organisation: None,
        tenant,
        details,
    }
}

//! Child keys. That a child ends with its parent is a trigger of the schema.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::columns::{KEY, key, scopes_text};
use super::idempotency::{Earlier, earlier, remember, undo};
use super::keys::{insert_key, key_event, tenant_of};
use super::{Changed, SqlSession, next_epoch, policies, values};
use crate::store::{
    ApiKeyRecord, AuditAction, ChildOutcome, IdempotencyRecord, MOST_CHILDREN, StoreError,
};

/// How long the record of a child is kept after its end: longer than any idempotency key, whose
/// answers repeat it.
const KEPT: SignedDuration = SignedDuration::from_hours(25);

pub(super) fn create(
    session: &dyn SqlSession,
    child: &ApiKeyRecord,
    once: Option<&IdempotencyRecord>,
    at: Timestamp,
) -> Result<Changed<ChildOutcome>, StoreError> {
    if let Some(earlier) = earlier(session, once)? {
        return Ok(Changed::nothing(match earlier {
            Earlier::Same(key) => ChildOutcome::Replayed(key),
            Earlier::Other => ChildOutcome::Conflict,
        }));
    }
    let sql = format!("SELECT {KEY} FROM api_keys WHERE id = ?1 AND revoked_at IS NULL");
    let Some(row) = session.first(&sql, values![child.parent], key)? else {
        return Ok(Changed::nothing(ChildOutcome::Gone));
    };
    if row.paused_at.is_some() {
        return Ok(Changed::nothing(ChildOutcome::Paused));
    }
    if row.parent.is_some() {
        return Ok(Changed::nothing(ChildOutcome::OfChild));
    }
    if let Some(excess) = row.excess_of(child) {
        return Ok(Changed::nothing(ChildOutcome::Exceeds(excess)));
    }
    policies::check(session, child)?;
    let changed = next_epoch(session)?;
    clean(session, at, changed)?;
    let live = session.number(
        "SELECT count(*) FROM api_keys WHERE parent = ?1 AND revoked_at IS NULL",
        values![child.parent],
    )?;
    if live >= MOST_CHILDREN.into() {
        return Ok(Changed::nothing(ChildOutcome::TooMany));
    }
    insert_key(session, child, changed)?;
    if let Some(once) = once {
        remember(session, once, child.id, at)?;
    }
    let details = json!({
        "name": child.name.as_str(),
        "prefix": child.prefix.as_str(),
        "scopes": scopes_text(&child.scopes),
        "expires_at": child.expires_at,
        "parent": child.parent.map(|id| id.to_string()),
    });
    let event = key_event(
        AuditAction::CreateChild,
        child.id,
        Some(child.tenant_id),
        details,
    );
    Ok(Changed::audited(ChildOutcome::New, event))
}

pub(super) fn cancel(
    session: &dyn SqlSession,
    parent: Uuid,
    once: &IdempotencyRecord,
    at: Timestamp,
) -> Result<Changed<()>, StoreError> {
    // A new epoch even where nothing is left to revoke: see `keys::revoke`.
    let changed = next_epoch(session)?;
    let Some(undone) = undo(session, once, parent, "parent = ?2", (at, changed))? else {
        return Ok(Changed::nothing(()));
    };
    let event = key_event(
        AuditAction::CancelChild,
        undone.key,
        tenant_of(session, parent)?,
        json!({"parent": parent.to_string(), "cancelled": undone.cancelled}),
    );
    Ok(Changed::audited((), event))
}

/// Returns how many children of a key have ended in an epoch.
pub(super) fn ended(session: &dyn SqlSession, parent: Uuid, epoch: i64) -> Result<i64, StoreError> {
    session.number(
        "SELECT count(*) FROM api_keys \
         WHERE parent = ?1 AND changed = ?2 AND revoked_at IS NOT NULL",
        values![parent, epoch],
    )
}

/// Ends the expired children of all keys, so that verification forgets them, and deletes those that
/// ended long ago. The audit table keeps their creation.
///
/// Only a serving process creates children, so it has applied the end of each that it deletes.
fn clean(session: &dyn SqlSession, at: Timestamp, changed: i64) -> Result<(), StoreError> {
    session.execute(
        "UPDATE api_keys SET revoked_at = ?1, changed = ?2 \
         WHERE parent IS NOT NULL AND revoked_at IS NULL AND expires_at <= ?1",
        values![at, changed],
    )?;
    let before = at.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    session.execute(
        "DELETE FROM idempotency WHERE key_id IN (SELECT id FROM api_keys \
         WHERE parent IS NOT NULL AND revoked_at IS NOT NULL AND revoked_at < ?1)",
        values![before],
    )?;
    session.execute(
        "DELETE FROM api_keys \
         WHERE parent IS NOT NULL AND revoked_at IS NOT NULL AND revoked_at < ?1",
        values![before],
    )?;
    Ok(())
}

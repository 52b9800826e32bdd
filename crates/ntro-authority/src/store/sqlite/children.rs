//! Child keys. That a child ends with its parent is a trigger of the schema.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;
use uuid::Uuid;

use super::Changed;
use super::columns::{KEY, id_text, key, millis, scopes_text};
use super::feed::next_epoch;
use super::idempotency::{Earlier, earlier, remember, undo};
use super::statements::{insert_key, key_event, tenant_of};
use crate::store::{
    ApiKeyRecord, AuditAction, ChildOutcome, IdempotencyRecord, MOST_CHILDREN, StoreError,
};

/// How long the record of a child is kept after its end: longer than any idempotency key, whose
/// answers repeat it.
const KEPT: SignedDuration = SignedDuration::from_hours(25);

pub(super) fn create(
    connection: &Connection,
    child: &ApiKeyRecord,
    once: Option<&IdempotencyRecord>,
    at: Timestamp,
) -> Result<Changed<ChildOutcome>, StoreError> {
    if let Some(earlier) = earlier(connection, once)? {
        return Ok(Changed::nothing(match earlier {
            Earlier::Same(key) => ChildOutcome::Replayed(key),
            Earlier::Other => ChildOutcome::Conflict,
        }));
    }
    let parent = child.parent.map(id_text);
    let row = connection
        .prepare_cached(&format!(
            "SELECT {KEY} FROM api_keys WHERE id = ?1 AND revoked_at IS NULL"
        ))?
        .query_row([&parent], key)
        .optional()?;
    let Some(row) = row else {
        return Ok(Changed::nothing(ChildOutcome::Gone));
    };
    if row.parent.is_some() {
        return Ok(Changed::nothing(ChildOutcome::OfChild));
    }
    if let Some(excess) = row.excess_of(child) {
        return Ok(Changed::nothing(ChildOutcome::Exceeds(excess)));
    }
    let changed = next_epoch(connection)?;
    clean(connection, at, changed)?;
    let live: u32 = connection
        .prepare_cached("SELECT count(*) FROM api_keys WHERE parent = ?1 AND revoked_at IS NULL")?
        .query_row([&parent], |row| row.get(0))?;
    if live >= MOST_CHILDREN {
        return Ok(Changed::nothing(ChildOutcome::TooMany));
    }
    insert_key(connection, child, changed)?;
    if let Some(once) = once {
        remember(connection, once, child.id, at)?;
    }
    let details = json!({
        "name": child.name.as_str(),
        "prefix": child.prefix.as_str(),
        "scopes": scopes_text(&child.scopes),
        "expires_at": child.expires_at,
        "parent": parent,
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
    connection: &Connection,
    parent: Uuid,
    once: &IdempotencyRecord,
    at: Timestamp,
) -> Result<Changed<()>, StoreError> {
    // A new epoch even where nothing is left to revoke: see `revoke_key`.
    let changed = next_epoch(connection)?;
    let Some(undone) = undo(connection, once, parent, "parent = ?2", (at, changed))? else {
        return Ok(Changed::nothing(()));
    };
    let event = key_event(
        AuditAction::CancelChild,
        undone.key,
        tenant_of(connection, parent)?,
        json!({"parent": id_text(parent), "cancelled": undone.cancelled}),
    );
    Ok(Changed::audited((), event))
}

/// Returns how many children of a key have ended in an epoch.
pub(super) fn ended(connection: &Connection, parent: Uuid, epoch: i64) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM api_keys \
             WHERE parent = ?1 AND changed = ?2 AND revoked_at IS NOT NULL",
        )?
        .query_row(params![id_text(parent), epoch], |row| row.get(0))
}

/// Ends the expired children of all keys, so that verification forgets them, and deletes those that
/// ended long ago. The audit table keeps their creation.
///
/// Only the serving process creates children, so it has applied the end of each that it deletes.
fn clean(connection: &Connection, at: Timestamp, changed: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE api_keys SET revoked_at = ?1, changed = ?2 \
             WHERE parent IS NOT NULL AND revoked_at IS NULL AND expires_at <= ?1",
        )?
        .execute(params![millis(at), changed])?;
    let before = millis(at.checked_sub(KEPT).unwrap_or(Timestamp::MIN));
    connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE key_id IN (SELECT id FROM api_keys \
             WHERE parent IS NOT NULL AND revoked_at IS NOT NULL AND revoked_at < ?1)",
        )?
        .execute([before])?;
    connection
        .prepare_cached(
            "DELETE FROM api_keys \
             WHERE parent IS NOT NULL AND revoked_at IS NOT NULL AND revoked_at < ?1",
        )?
        .execute([before])?;
    Ok(())
}

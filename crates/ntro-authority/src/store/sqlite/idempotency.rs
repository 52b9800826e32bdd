//! Requests with an idempotency key, and the keys that they have made.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::columns::{KEY, id_text, key, millis, parsed};
use crate::store::{ApiKeyRecord, IdempotencyRecord, StoreError};

/// Returns the body of a request that was seen before, and the key that it has made.
pub(super) fn seen(
    connection: &Connection,
    once: &IdempotencyRecord,
) -> rusqlite::Result<Option<([u8; 32], String)>> {
    connection
        .prepare_cached("DELETE FROM idempotency WHERE created_at < ?1")?
        .execute([millis(once.forget_before)])?;
    connection
        .prepare_cached("SELECT body, key_id FROM idempotency WHERE request = ?1")?
        .query_row([once.request], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// The earlier request with the same idempotency key.
pub(super) enum Earlier {
    /// It was the same request, and has made this key.
    Same(Box<ApiKeyRecord>),
    /// It had another body, or was cancelled before it arrived.
    Other,
}

/// Returns the earlier request with the same idempotency key, if there was one.
pub(super) fn earlier(
    connection: &Connection,
    once: Option<&IdempotencyRecord>,
) -> Result<Option<Earlier>, StoreError> {
    let Some(once) = once else { return Ok(None) };
    let Some((body, id)) = seen(connection, once)? else {
        return Ok(None);
    };
    if body != once.body {
        return Ok(Some(Earlier::Other));
    }
    let key = connection
        .prepare_cached(&format!("SELECT {KEY} FROM api_keys WHERE id = ?1"))?
        .query_row([id], key)?;
    Ok(Some(Earlier::Same(Box::new(key))))
}

/// A request that was undone.
pub(super) struct Undone {
    /// The revoked key; the key that sent the request if it was cancelled.
    pub(super) key: Uuid,
    /// Whether it was cancelled before it made a key.
    pub(super) cancelled: bool,
}

/// Revokes the key that a request of the key `sender` has made, if it is live and `relation` holds
/// for it and the sender (`?2`), or else keeps the request from making one later.
pub(super) fn undo(
    connection: &Connection,
    once: &IdempotencyRecord,
    sender: Uuid,
    relation: &str,
    (at, changed): (Timestamp, i64),
) -> rusqlite::Result<Option<Undone>> {
    let Some((_, made)) = seen(connection, once)? else {
        // A request that arrives later counts as seen.
        remember(connection, once, sender, at)?;
        return Ok(Some(Undone {
            key: sender,
            cancelled: true,
        }));
    };
    connection
        .prepare_cached(&format!(
            "UPDATE api_keys SET revoked_at = ?3, changed = ?4 \
             WHERE id = ?1 AND {relation} AND revoked_at IS NULL RETURNING id"
        ))?
        .query_row(params![made, id_text(sender), millis(at), changed], |row| {
            Ok(Undone {
                key: parsed(row, 0)?,
                cancelled: false,
            })
        })
        .optional()
}

/// Records that a request has made a key.
pub(super) fn remember(
    connection: &Connection,
    once: &IdempotencyRecord,
    key: Uuid,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO idempotency (request, body, key_id, created_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![once.request, once.body, id_text(key), millis(at)])?;
    Ok(())
}

//! Requests with an idempotency key, and the keys that they have made.

use jiff::Timestamp;
use uuid::Uuid;

use super::columns::{KEY, key};
use super::{SqlSession, values};
use crate::store::{ApiKeyRecord, IdempotencyRecord, StoreError};

/// Returns the body of a request that was seen before, and the key that it has made.
pub(super) fn seen(
    session: &dyn SqlSession,
    once: &IdempotencyRecord,
) -> Result<Option<([u8; 32], String)>, StoreError> {
    session.execute(
        "DELETE FROM idempotency WHERE created_at < ?1",
        values![once.forget_before],
    )?;
    session.first(
        "SELECT body, key_id FROM idempotency WHERE request = ?1",
        values![&once.request],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
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
    session: &dyn SqlSession,
    once: Option<&IdempotencyRecord>,
) -> Result<Option<Earlier>, StoreError> {
    let Some(once) = once else { return Ok(None) };
    let Some((body, id)) = seen(session, once)? else {
        return Ok(None);
    };
    if body != once.body {
        return Ok(Some(Earlier::Other));
    }
    let sql = format!("SELECT {KEY} FROM api_keys WHERE id = ?1");
    let key = session.first(&sql, values![id], key)?;
    let key = key.ok_or(StoreError::Invalid {
        what: "idempotency record",
    })?;
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
    session: &dyn SqlSession,
    once: &IdempotencyRecord,
    sender: Uuid,
    relation: &str,
    (at, changed): (Timestamp, i64),
) -> Result<Option<Undone>, StoreError> {
    let Some((_, made)) = seen(session, once)? else {
        // A request that arrives later counts as seen.
        remember(session, once, sender, at)?;
        return Ok(Some(Undone {
            key: sender,
            cancelled: true,
        }));
    };
    let sql = format!(
        "UPDATE api_keys SET revoked_at = ?3, changed = ?4 \
         WHERE id = ?1 AND {relation} AND revoked_at IS NULL RETURNING id"
    );
    session.first(&sql, values![made, sender, at, changed], |row| {
        Ok(Undone {
            key: row.get(0)?,
            cancelled: false,
        })
    })
}

/// Records that a request has made a key.
pub(super) fn remember(
    session: &dyn SqlSession,
    once: &IdempotencyRecord,
    key: Uuid,
    at: Timestamp,
) -> Result<(), StoreError> {
    session.execute(
        "INSERT INTO idempotency (request, body, key_id, created_at) VALUES (?1, ?2, ?3, ?4)",
        values![&once.request, &once.body, key, at],
    )?;
    Ok(())
}

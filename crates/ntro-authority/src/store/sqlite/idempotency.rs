//! Requests with an idempotency key, and the keys that they have made.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::columns::{id_text, millis};
use crate::store::IdempotencyRecord;

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

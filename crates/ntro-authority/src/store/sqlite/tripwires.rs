//! Tripwires.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;
use uuid::Uuid;

use super::Changed;
use super::columns::{TRIPWIRE, id_text, millis, parsed, tripwire};
use super::feed::next_epoch;
use super::statements::{key_event, tenant_of};
use crate::store::{
    AuditAction, MOST_TRIPWIRES, StoreError, Trip, TripwireOutcome, TripwireRecord,
};

pub(super) fn set(
    connection: &Connection,
    new: &TripwireRecord,
    at: Timestamp,
) -> Result<Changed<TripwireOutcome>, StoreError> {
    let owner = id_text(new.key);
    let key = connection
        .prepare_cached(
            "SELECT parent IS NOT NULL, tenant_id FROM api_keys \
             WHERE id = ?1 AND revoked_at IS NULL",
        )?
        .query_row([&owner], |row| {
            Ok((row.get::<_, bool>(0)?, parsed::<Uuid>(row, 1)?))
        })
        .optional()?;
    let tenant = match key {
        None => return Ok(Changed::nothing(TripwireOutcome::Gone)),
        Some((true, _)) => return Ok(Changed::nothing(TripwireOutcome::OfChild)),
        Some((false, tenant)) => tenant,
    };
    connection
        .prepare_cached("DELETE FROM tripwires WHERE expires_at <= ?1")?
        .execute([millis(at)])?;
    let known = connection
        .prepare_cached(&format!("SELECT {TRIPWIRE} FROM tripwires WHERE hash = ?1"))?
        .query_row([new.hash.0], tripwire)
        .optional()?;
    match known {
        Some(known) if known.key != new.key => {
            return Ok(Changed::nothing(TripwireOutcome::Taken));
        }
        Some(_) => {}
        None => {
            let live: u32 = connection
                .prepare_cached("SELECT count(*) FROM tripwires WHERE key_id = ?1")?
                .query_row([&owner], |row| row.get(0))?;
            if live >= MOST_TRIPWIRES {
                return Ok(Changed::nothing(TripwireOutcome::TooMany));
            }
        }
    }
    let changed = next_epoch(connection)?;
    connection
        .prepare_cached(
            "INSERT INTO tripwires (hash, key_id, expires_at, changed) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at, changed = excluded.changed",
        )?
        .execute(params![new.hash.0, owner, millis(new.expires_at), changed])?;
    let details = json!({"expires_at": new.expires_at});
    let event = key_event(AuditAction::SetTripwire, new.key, Some(tenant), details);
    Ok(Changed::audited(TripwireOutcome::Set, event))
}

pub(super) fn record(
    connection: &Connection,
    trip: &Trip,
    at: Timestamp,
) -> Result<Changed<()>, StoreError> {
    let owner: Option<Uuid> = connection
        .prepare_cached("SELECT key_id FROM tripwires WHERE hash = ?1")?
        .query_row([trip.hash.0], |row| parsed(row, 0))
        .optional()?;
    let Some(owner) = owner else {
        return Ok(Changed::nothing(()));
    };
    let changed = next_epoch(connection)?;
    connection
        .prepare_cached(
            "UPDATE api_keys SET tripped_at = max(coalesce(tripped_at, 0), ?2), changed = ?3 \
             WHERE id = ?1 AND revoked_at IS NULL",
        )?
        .execute(params![id_text(owner), millis(at), changed])?;
    let details = json!({
        "token": trip.prefix,
        "address": trip.source,
        "times": trip.times,
    });
    let tenant = tenant_of(connection, owner)?;
    let event = key_event(AuditAction::TripTripwire, owner, tenant, details);
    Ok(Changed::audited((), event))
}

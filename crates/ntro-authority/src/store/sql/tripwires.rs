//! Tripwires.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::columns::{TRIPWIRE, tripwire};
use super::keys::{key_event, tenant_of};
use super::{Changed, SqlSession, next_epoch, values};
use crate::store::{
    AuditAction, MOST_TRIPWIRES, StoreError, Trip, TripwireOutcome, TripwireRecord,
};

pub(super) fn set(
    session: &dyn SqlSession,
    new: &TripwireRecord,
    at: Timestamp,
) -> Result<Changed<TripwireOutcome>, StoreError> {
    let key = session.first(
        "SELECT parent, tenant_id FROM api_keys WHERE id = ?1 AND revoked_at IS NULL",
        values![new.key],
        |row| Ok((row.get::<Option<Uuid>>(0)?, row.get::<Uuid>(1)?)),
    )?;
    let tenant = match key {
        None => return Ok(Changed::nothing(TripwireOutcome::Gone)),
        Some((Some(_), _)) => return Ok(Changed::nothing(TripwireOutcome::OfChild)),
        Some((None, tenant)) => tenant,
    };
    session.execute("DELETE FROM tripwires WHERE expires_at <= ?1", values![at])?;
    let sql = format!("SELECT {TRIPWIRE} FROM tripwires WHERE hash = ?1");
    match session.first(&sql, values![&new.hash.0], tripwire)? {
        Some(known) if known.key != new.key => {
            return Ok(Changed::nothing(TripwireOutcome::Taken));
        }
        Some(_) => {}
        None => {
            let live = session.number(
                "SELECT count(*) FROM tripwires WHERE key_id = ?1",
                values![new.key],
            )?;
            if live >= MOST_TRIPWIRES.into() {
                return Ok(Changed::nothing(TripwireOutcome::TooMany));
            }
        }
    }
    let changed = next_epoch(session)?;
    session.execute(
        "INSERT INTO tripwires (hash, key_id, expires_at, changed) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (hash) DO UPDATE \
         SET expires_at = excluded.expires_at, changed = excluded.changed",
        values![&new.hash.0, new.key, new.expires_at, changed],
    )?;
    let details = json!({"expires_at": new.expires_at});
    let event = key_event(AuditAction::SetTripwire, new.key, Some(tenant), details);
    Ok(Changed::audited(TripwireOutcome::Set, event))
}

pub(super) fn record(
    session: &dyn SqlSession,
    trip: &Trip,
    at: Timestamp,
) -> Result<Changed<()>, StoreError> {
    let owner = session.first(
        "SELECT key_id FROM tripwires WHERE hash = ?1",
        values![&trip.hash.0],
        |row| row.get::<Uuid>(0),
    )?;
    let Some(owner) = owner else {
        return Ok(Changed::nothing(()));
    };
    let changed = next_epoch(session)?;
    session.execute(
        "UPDATE api_keys SET changed = ?3, \
         tripped_at = CASE WHEN tripped_at > ?2 THEN tripped_at ELSE ?2 END \
         WHERE id = ?1 AND revoked_at IS NULL",
        values![owner, at, changed],
    )?;
    let details = json!({
        "token": trip.prefix,
        "address": trip.source,
        "times": trip.times,
    });
    let tenant = tenant_of(session, owner)?;
    let event = key_event(AuditAction::TripTripwire, owner, tenant, details);
    Ok(Changed::audited((), event))
}

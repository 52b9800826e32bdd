//! Leaked keys.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::keys::{key_event, revoke};
use super::{Changed, SqlSession, values};
use crate::store::{AuditAction, KeyHash, LeakOutcome, LeakPlace, StoreError};

/// Revokes a leaked key and records where it was found. The report of a key that is revoked already
/// is recorded as well: each names another place.
pub(super) fn report(
    session: &dyn SqlSession,
    hash: &KeyHash,
    place: &LeakPlace,
    at: Timestamp,
) -> Result<Changed<LeakOutcome>, StoreError> {
    let found = session.first(
        "SELECT id, tenant_id FROM api_keys WHERE hash = ?1",
        values![&hash.0],
        |row| Ok((row.get::<Uuid>(0)?, row.get::<Uuid>(1)?)),
    )?;
    let Some((id, tenant)) = found else {
        return Ok(Changed::nothing(LeakOutcome::Unknown));
    };
    let revoked = revoke(session, id, at)?;
    let leak = json!({"url": place.url, "source": place.source});
    Ok(match revoked.events.into_iter().next() {
        Some(mut event) => {
            event.details["leak"] = leak;
            Changed::audited(LeakOutcome::Revoked, event)
        }
        None => {
            let details = json!({"leak": leak});
            let event = key_event(AuditAction::ReportLeak, id, Some(tenant), details);
            Changed::audited(LeakOutcome::RevokedBefore, event)
        }
    })
}

//! Predecessors that end when they are not used any more.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::columns::{KEY, key};
use super::keys::key_event;
use super::rotation::revoke_predecessor;
use super::{Changed, SqlSession, values};
use crate::store::{AuditAction, Predecessor, QuietOutcome, StoreError};

pub(super) fn find(
    session: &dyn SqlSession,
    successor: Uuid,
) -> Result<Option<Predecessor>, StoreError> {
    let sql = format!(
        "SELECT {KEY} FROM api_keys WHERE revoked_at IS NULL \
         AND id = (SELECT predecessor FROM api_keys WHERE id = ?1 AND pending = 1)"
    );
    let Some(row) = session.first(&sql, values![successor], key)? else {
        return Ok(None);
    };
    let children = session.first(
        "SELECT max(last_used_at) FROM api_keys WHERE parent = ?1",
        values![row.id],
        |row| row.get::<Option<Timestamp>>(0),
    )?;
    let seconds = session.first(
        "SELECT quiet_seconds FROM api_keys WHERE id = ?1",
        values![successor],
        |row| row.get::<Option<i64>>(0),
    )?;
    Ok(Some(Predecessor {
        last_used_at: row.last_used_at.max(children.flatten()),
        quiet_seconds: seconds.flatten().and_then(|one| u32::try_from(one).ok()),
        key: row,
    }))
}

pub(super) fn set_end(
    session: &dyn SqlSession,
    successor: Uuid,
    seconds: Option<u32>,
    at: Timestamp,
) -> Result<Changed<bool>, StoreError> {
    // Verification need not know: no new epoch.
    let sql = format!(
        "UPDATE api_keys SET quiet_seconds = ?2, quiet_from = ?3 \
         WHERE id = ?1 AND pending = 1 AND revoked_at IS NULL RETURNING {KEY}"
    );
    let Some(row) = session.first(&sql, values![successor, seconds, at], key)? else {
        return Ok(Changed::nothing(false));
    };
    let event = key_event(
        AuditAction::SetQuietEnd,
        successor,
        Some(row.tenant_id),
        json!({
            "predecessor": row.predecessor.map(|id| id.to_string()),
            "seconds": seconds,
        }),
    );
    Ok(Changed::audited(true, event))
}

pub(super) fn due(
    session: &dyn SqlSession,
    known_until: Timestamp,
) -> Result<Vec<(Uuid, u32)>, StoreError> {
    let due = session.rows(
        "SELECT id, quiet_seconds FROM api_keys AS successors \
         WHERE quiet_seconds IS NOT NULL AND pending = 1 AND revoked_at IS NULL \
         AND paused_at IS NULL AND quiet_from + quiet_seconds * 1000 <= ?1 \
         AND NOT EXISTS (SELECT 1 FROM api_keys AS users \
         WHERE (users.id = successors.predecessor OR users.parent = successors.predecessor) \
         AND users.last_used_at + successors.quiet_seconds * 1000 > ?1)",
        values![known_until],
        |row| Ok((row.get::<Uuid>(0)?, row.get::<i64>(1)?)),
    )?;
    let due = due.into_iter();
    Ok(due
        .filter_map(|(id, seconds)| Some((id, u32::try_from(seconds).ok()?)))
        .collect())
}

pub(super) fn revoke_unused(
    session: &dyn SqlSession,
    successor: Uuid,
    since: Timestamp,
    at: Timestamp,
) -> Result<Changed<QuietOutcome>, StoreError> {
    let predecessor = session.first(
        "SELECT predecessor FROM api_keys WHERE id = ?1 AND pending = 1",
        values![successor],
        |row| row.get::<Option<Uuid>>(0),
    )?;
    let used = session.number(
        "SELECT count(*) FROM api_keys WHERE (id = ?1 OR parent = ?1) \
         AND last_used_at > ?2 AND revoked_at IS NULL",
        values![predecessor.flatten(), since],
    )?;
    if used > 0 {
        return Ok(Changed::nothing(QuietOutcome::InUse));
    }
    let Changed { value, events } = revoke_predecessor(session, successor, at)?;
    let value = match value {
        true => QuietOutcome::Ended,
        false => QuietOutcome::Gone,
    };
    Ok(Changed { value, events })
}

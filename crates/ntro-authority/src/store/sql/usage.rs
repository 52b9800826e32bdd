//! The uses of keys.

use jiff::Timestamp;
use uuid::Uuid;

use super::{SqlRow, SqlSession, values};
use crate::store::{
    COUNTED_HOURS, KeyUsage, LastUse, StoreError, UseCount, UseOutcome, first_hour,
};

pub(super) fn record(
    session: &dyn SqlSession,
    used: &[KeyUsage],
    now: Timestamp,
) -> Result<(), StoreError> {
    for KeyUsage { key, last, counts } in used {
        if let Some(LastUse { at, address, agent }) = last {
            session.execute(
                "UPDATE api_keys SET last_used_at = ?2, last_used_address = ?3, \
                 last_used_agent = ?4 \
                 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
                values![
                    *key,
                    *at,
                    address.map(|address| address.to_string()),
                    agent.as_ref()
                ],
            )?;
        }
        for UseCount {
            hour,
            outcome,
            times,
        } in counts
        {
            session.execute(
                "INSERT INTO key_uses (key_id, hour, outcome, times) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (key_id, hour, outcome) \
                 DO UPDATE SET times = key_uses.times + excluded.times",
                values![
                    *key,
                    *hour,
                    outcome.as_str(),
                    i64::try_from(*times).unwrap_or(i64::MAX)
                ],
            )?;
        }
    }
    session.execute(
        "DELETE FROM key_uses WHERE hour < ?1",
        values![first_hour(now, COUNTED_HOURS)],
    )?;
    Ok(())
}

pub(super) fn counts(
    session: &dyn SqlSession,
    key: Uuid,
    since: Timestamp,
) -> Result<Vec<UseCount>, StoreError> {
    session.rows(
        "SELECT hour, outcome, times FROM key_uses WHERE key_id = ?1 AND hour >= ?2 \
         ORDER BY hour, outcome",
        values![key, since],
        count,
    )
}

fn count(row: &dyn SqlRow) -> Result<UseCount, StoreError> {
    let name: String = row.get(1)?;
    let outcome = UseOutcome::ALL.into_iter().find(|one| one.as_str() == name);
    Ok(UseCount {
        hour: row.get(0)?,
        outcome: outcome.ok_or(StoreError::Invalid { what: "outcome" })?,
        times: u64::try_from(row.get::<i64>(2)?).unwrap_or_default(),
    })
}

//! Keys that expire soon.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::columns::{KEY, key};
use super::{SqlSession, values};
use crate::store::{ExpiryWarning, StoreError};

/// The most warnings that are claimed together.
const BATCH: u32 = 20;
/// The keys that people must replace. Children expire in the course of their use.
const EXPIRING: &str = "expires_at > ?1 AND expires_at <= ?2 AND expires_at IS NOT NULL \
                        AND revoked_at IS NULL AND parent IS NULL";

fn end(now: Timestamp, days: u32) -> Timestamp {
    let life = SignedDuration::from_hours(i64::from(days) * 24);
    now.checked_add(life).unwrap_or(Timestamp::MAX)
}

pub(super) fn count(
    session: &dyn SqlSession,
    days: u32,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM api_keys WHERE {EXPIRING}");
    let count = session.number(&sql, values![now, end(now, days)])?;
    Ok(u64::try_from(count).unwrap_or_default())
}

pub(super) fn claim(
    session: &dyn SqlSession,
    days: u32,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<ExpiryWarning>, StoreError> {
    let sql = format!(
        "UPDATE api_keys SET warn_after = ?5 WHERE id IN (SELECT id FROM api_keys \
         WHERE {EXPIRING} AND (warned_days IS NULL OR warned_days > ?3) \
         AND (warn_after IS NULL OR warn_after <= ?1) \
         ORDER BY expires_at LIMIT ?4) RETURNING {KEY}"
    );
    let values = values![now, end(now, days), days, BATCH, until];
    let keys = session.rows(&sql, values, key)?;
    let warnings = keys.into_iter().map(|key| {
        let slug = session.first(
            "SELECT slug FROM tenants WHERE id = ?1",
            values![key.tenant_id],
            |row| row.get(0),
        )?;
        Ok(ExpiryWarning {
            tenant: slug.unwrap_or_default(),
            days,
            key,
        })
    });
    warnings.collect()
}

pub(super) fn record(session: &dyn SqlSession, key: Uuid, days: u32) -> Result<(), StoreError> {
    session.execute(
        "UPDATE api_keys SET warned_days = ?2, warn_after = NULL WHERE id = ?1",
        values![key, days],
    )?;
    Ok(())
}

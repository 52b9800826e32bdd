//! Answers to requests with an idempotency key that make no key.

use jiff::Timestamp;

use super::{Changed, SqlSession, values};
use crate::store::{OnceOutcome, ResponseRecord, StoreError};

/// Does the work of a request, and keeps its answer if it has changed anything; or returns the answer
/// to the same request.
pub(super) fn once<T>(
    session: &dyn SqlSession,
    record: &ResponseRecord,
    at: Timestamp,
    work: impl FnOnce() -> Result<Changed<T>, StoreError>,
) -> Result<Changed<OnceOutcome<T>>, StoreError> {
    let ResponseRecord { once, response } = record;
    session.execute(
        "DELETE FROM responses WHERE created_at < ?1",
        values![once.forget_before],
    )?;
    let known = session.first(
        "SELECT body, response FROM responses WHERE request = ?1",
        values![&once.request],
        |row| Ok((row.get::<[u8; 32]>(0)?, row.get::<String>(1)?)),
    )?;
    if let Some((body, response)) = known {
        return Ok(Changed::nothing(match body == once.body {
            true => OnceOutcome::Replayed(response),
            false => OnceOutcome::Conflict,
        }));
    }
    let Changed { value, events } = work()?;
    if !events.is_empty() {
        session.execute(
            "INSERT INTO responses (request, body, response, created_at) VALUES (?1, ?2, ?3, ?4)",
            values![&once.request, &once.body, response, at],
        )?;
    }
    Ok(Changed {
        value: OnceOutcome::New(value),
        events,
    })
}

//! Appends to the transparency logs of the audit table, and reads them.

use super::{SqlRow, SqlSession, values};
use crate::store::{LogRecord, LogRow, SignedRecord, StoreError};
use crate::transparency::{AuditEntry, RightEdge, TreeHash};

const LOG: &str = "id, size, edge, signed_size, signed_edge, checkpoint";
/// The columns of an audit row, as [`entry`] reads them from the column `first` on.
const ENTRY: &str = "audit.id, at, actor_kind, actor_issuer, actor_id, action, target_kind, \
                     target_id, organisation_id, tenant_id, details";

/// Adds an audit row to its log, in the transaction that is open.
pub(super) fn append(session: &dyn SqlSession, entry: &AuditEntry) -> Result<(), StoreError> {
    let log = entry.log();
    // The update locks the log until the commit, for databases with several writers.
    let edge = session.first(
        "INSERT INTO audit_logs (id, size, edge, signed_size, signed_edge) \
         VALUES (?1, 0, ?2, 0, ?2) \
         ON CONFLICT (id) DO UPDATE SET size = audit_logs.size RETURNING size, edge",
        values![&log, Vec::new()],
        |row| edge(row, 0),
    )?;
    let mut edge = edge
        .flatten()
        .ok_or(StoreError::Invalid { what: "audit log" })?;
    let line = entry.line(edge.size());
    for added in edge.push(TreeHash::leaf(line.as_bytes())) {
        session.execute(
            "INSERT INTO audit_hashes (log, level, position, hash, event) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            values![
                &log,
                u32::from(added.level),
                number(added.position),
                &added.hash.0,
                (added.level == 0).then_some(entry.id),
            ],
        )?;
    }
    session.execute(
        "UPDATE audit_logs SET size = ?2, edge = ?3 WHERE id = ?1",
        values![&log, number(edge.size()), edge.bytes()],
    )?;
    Ok(())
}

/// Builds the logs of the audit rows of a database that has none.
pub(in crate::store) fn build(session: &dyn SqlSession) -> Result<(), StoreError> {
    let mut last = i64::MIN;
    loop {
        let entries = session.rows(
            &format!("SELECT {ENTRY} FROM audit WHERE id > ?1 ORDER BY id LIMIT 1000"),
            values![last],
            |row| entry(row, 0),
        )?;
        for entry in &entries {
            append(session, entry)?;
        }
        match entries.last() {
            Some(entry) => last = entry.id,
            None => return Ok(()),
        }
    }
}

/// Returns every log.
pub(super) fn list(session: &dyn SqlSession) -> Result<Vec<LogRecord>, StoreError> {
    let sql = format!("SELECT {LOG} FROM audit_logs ORDER BY id");
    session.rows(&sql, &[], log)
}

/// Returns the log with this name.
pub(super) fn find(session: &dyn SqlSession, name: &str) -> Result<Option<LogRecord>, StoreError> {
    let sql = format!("SELECT {LOG} FROM audit_logs WHERE id = ?1");
    session.first(&sql, values![name], log)
}

/// Returns some logs with entries that no checkpoint covers.
pub(super) fn unsigned(session: &dyn SqlSession, limit: u32) -> Result<Vec<LogRecord>, StoreError> {
    let sql = format!("SELECT {LOG} FROM audit_logs WHERE size > signed_size ORDER BY id LIMIT ?1");
    session.rows(&sql, values![limit], log)
}

/// Keeps a checkpoint, unless another one was signed since one with `before` entries.
pub(super) fn sign(
    session: &dyn SqlSession,
    name: &str,
    before: u64,
    signed: &SignedRecord,
) -> Result<(), StoreError> {
    let edge = signed.edge.clone().unwrap_or_default();
    session.execute(
        "UPDATE audit_logs SET signed_size = ?3, signed_edge = ?4, checkpoint = ?5 \
         WHERE id = ?1 AND signed_size = ?2",
        values![
            name,
            number(before),
            number(edge.size()),
            edge.bytes(),
            &signed.note
        ],
    )?;
    Ok(())
}

/// Returns the entries of a log from an index on.
pub(super) fn rows(
    session: &dyn SqlSession,
    name: &str,
    from: u64,
    limit: u32,
) -> Result<Vec<LogRow>, StoreError> {
    session.rows(
        &format!(
            "SELECT position, hash, {ENTRY} FROM audit_hashes \
             LEFT JOIN audit ON audit.id = audit_hashes.event \
             WHERE log = ?1 AND level = 0 AND position >= ?2 ORDER BY position LIMIT ?3"
        ),
        values![name, number(from), limit],
        |row| {
            let id: Option<i64> = row.get(2)?;
            Ok(LogRow {
                index: count(row, 0)?,
                hash: TreeHash(row.get(1)?),
                entry: id.map(|_| entry(row, 2)).transpose()?,
            })
        },
    )
}

/// Returns hashes of one level, from a position on.
pub(super) fn hashes(
    session: &dyn SqlSession,
    name: &str,
    level: u8,
    from: u64,
    limit: u32,
) -> Result<Vec<TreeHash>, StoreError> {
    session.rows(
        "SELECT hash FROM audit_hashes WHERE log = ?1 AND level = ?2 AND position >= ?3 \
         ORDER BY position LIMIT ?4",
        values![name, u32::from(level), number(from), limit],
        |row| Ok(TreeHash(row.get(0)?)),
    )
}

/// Returns the number of audit rows that are in no log.
pub(super) fn unlogged(session: &dyn SqlSession) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM audit WHERE id NOT IN \
               (SELECT event FROM audit_hashes WHERE event IS NOT NULL)";
    let unlogged = session.first(sql, &[], |row| count(row, 0))?;
    Ok(unlogged.unwrap_or(0))
}

/// Returns one audit row.
pub(super) fn event(session: &dyn SqlSession, id: i64) -> Result<Option<AuditEntry>, StoreError> {
    let sql = format!("SELECT {ENTRY} FROM audit WHERE id = ?1");
    session.first(&sql, values![id], |row| entry(row, 0))
}

/// Returns the index of an audit row in a log.
pub(super) fn index(
    session: &dyn SqlSession,
    name: &str,
    event: i64,
) -> Result<Option<u64>, StoreError> {
    session.first(
        "SELECT position FROM audit_hashes WHERE log = ?1 AND level = 0 AND event = ?2",
        values![name, event],
        |row| count(row, 0),
    )
}

fn log(row: &dyn SqlRow) -> Result<LogRecord, StoreError> {
    let note: Option<String> = row.get(5)?;
    let signed_edge = edge(row, 3)?;
    Ok(LogRecord {
        name: row.get(0)?,
        size: count(row, 1)?,
        edge: edge(row, 1)?,
        signed: note.map(|note| SignedRecord {
            note,
            edge: signed_edge,
        }),
    })
}

/// Reads a size and the edge in the next column.
fn edge(row: &dyn SqlRow, first: usize) -> Result<Option<RightEdge>, StoreError> {
    let bytes: Vec<u8> = row.get(first + 1)?;
    Ok(RightEdge::parse(count(row, first)?, &bytes))
}

fn entry(row: &dyn SqlRow, first: usize) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.get(first)?,
        at: row.get(first + 1)?,
        actor_kind: row.get(first + 2)?,
        actor_issuer: row.get(first + 3)?,
        actor_id: row.get(first + 4)?,
        action: row.get(first + 5)?,
        target_kind: row.get(first + 6)?,
        target_id: row.get(first + 7)?,
        organisation_id: row.get(first + 8)?,
        tenant_id: row.get(first + 9)?,
        details: row.get(first + 10)?,
    })
}

fn count(row: &dyn SqlRow, column: usize) -> Result<u64, StoreError> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| StoreError::Invalid { what: "number" })
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

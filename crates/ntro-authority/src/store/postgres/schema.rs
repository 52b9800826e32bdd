//! Makes the tables, and brings them up to date.

use super::connection::PostgresConnection;
use super::{PostgresUrl, StoreError};
use crate::store::sql::{MIGRATIONS, SqlSession, values};

/// "ntro" in ASCII: the lock under which the tables are made and changed.
const LOCK: i64 = 0x6e74_726f;

/// Whether missing tables are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Make,
    Refuse,
}

/// Checks the tables, and brings older ones up to date.
pub(super) fn prepare(
    connection: &PostgresConnection,
    url: &PostgresUrl,
    missing: Missing,
) -> Result<(), StoreError> {
    // The lock ends with the transaction, so that it works behind a pooler too.
    connection.script(&format!(
        "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_advisory_xact_lock({LOCK})"
    ))?;
    match migrate(connection, url, missing) {
        Ok(()) => {
            connection.script("COMMIT")?;
            Ok(())
        }
        Err(error) => {
            // The first error is the one to report.
            let _ = connection.script("ROLLBACK");
            Err(error)
        }
    }
}

fn migrate(
    connection: &PostgresConnection,
    url: &PostgresUrl,
    missing: Missing,
) -> Result<(), StoreError> {
    let session: &dyn SqlSession = connection;
    let found = match version(connection, url)? {
        Some(found) => found,
        None if missing == Missing::Make => 0,
        None => {
            return Err(StoreError::NoRegistry {
                database: url.to_string(),
            });
        }
    };
    if found == 0 {
        connection.script(
            "CREATE TABLE ntro_schema (version BIGINT NOT NULL); \
             INSERT INTO ntro_schema VALUES (0)",
        )?;
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        connection.script(step.postgres)?;
    }
    if found < known() {
        session.execute("UPDATE ntro_schema SET version = ?1", values![known()])?;
    }
    record_cluster(connection, url)
}

/// Returns the number of the schema; `None` if there are no tables yet.
pub(super) fn version(
    connection: &PostgresConnection,
    url: &PostgresUrl,
) -> Result<Option<i64>, StoreError> {
    let session: &dyn SqlSession = connection;
    let tables = |condition: &str| {
        let all = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
        session.number(&format!("{all} {condition}"), values![])
    };
    if tables("AND tablename = 'ntro_schema'")? == 0 {
        return match tables("")? {
            0 => Ok(None),
            _ => Err(StoreError::NotOurs {
                database: url.to_string(),
            }),
        };
    }
    let found = session.number("SELECT version FROM ntro_schema", values![])?;
    if found > known() {
        return Err(StoreError::NewerSchema {
            database: url.to_string(),
            found,
            known: known(),
        });
    }
    Ok(Some(found))
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Records the cluster, and refuses a database that was copied into another one.
fn record_cluster(connection: &PostgresConnection, url: &PostgresUrl) -> Result<(), StoreError> {
    let session: &dyn SqlSession = connection;
    let recorded = session.first("SELECT system, timeline FROM cluster", values![], |row| {
        Ok((row.get::<String>(0)?, row.get::<String>(1)?))
    })?;
    let cluster = &connection.cluster;
    match recorded {
        None => {
            session.execute(
                "INSERT INTO cluster (one, system, timeline) VALUES (1, ?1, ?2)",
                values![&cluster.system, &cluster.timeline],
            )?;
        }
        Some((system, _)) if system != cluster.system => {
            return Err(StoreError::OtherCluster {
                database: url.to_string(),
            });
        }
        Some((_, timeline)) if timeline != cluster.timeline => {
            tracing::warn!(
                from = timeline,
                to = cluster.timeline,
                "a standby was promoted, or a backup recovered, since the database was last used"
            );
            session.execute(
                "UPDATE cluster SET timeline = ?1",
                values![&cluster.timeline],
            )?;
        }
        Some(_) => {}
    }
    Ok(())
}

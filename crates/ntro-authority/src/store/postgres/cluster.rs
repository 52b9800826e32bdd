//! Which PostgreSQL cluster a connection reaches.

use super::connection::PostgresConnection;
use super::{PostgresError, StoreError};
use crate::store::sql::{SqlSession, values};

/// The identity of a cluster and of its history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    /// Made once, by `initdb`; copies of the data have the same.
    pub(super) system: String,
    /// Changes when a standby is promoted, or a backup is recovered.
    pub(super) timeline: String,
}

impl Cluster {
    /// Reads the identity, and refuses a standby.
    pub(super) fn read(connection: &PostgresConnection) -> Result<Self, StoreError> {
        let session: &dyn SqlSession = connection;
        let is_standby = session.first("SELECT pg_is_in_recovery()", values![], |row| {
            row.get::<bool>(0)
        })?;
        if is_standby != Some(false) {
            let message = "the server is a standby: name the primary";
            return Err(PostgresError::connection(message).into());
        }
        // The name of a file of the log begins with the timeline. `pg_control_checkpoint` reports a
        // new one only some time after a promotion.
        let cluster = session.first(
            "SELECT CAST(system_identifier AS TEXT), \
             substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM pg_control_system()",
            values![],
            |row| {
                Ok(Self {
                    system: row.get(0)?,
                    timeline: row.get(1)?,
                })
            },
        )?;
        cluster.ok_or(StoreError::Invalid { what: "cluster" })
    }
}

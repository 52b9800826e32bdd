//! Which PostgreSQL cluster a connection reaches.

use super::PostgresError;
use super::link::Link;

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
    pub(super) async fn read(link: &Link) -> Result<Self, PostgresError> {
        let is_standby = link.script("SELECT pg_is_in_recovery()").await?;
        if is_standby != ["f"] {
            let message = "the server is a standby: name the primary";
            return Err(PostgresError::connection(message));
        }
        // The name of a file of the log begins with the timeline. `pg_control_checkpoint` reports a
        // new one only some time after a promotion.
        let cluster = link
            .script(
                "SELECT system_identifier FROM pg_control_system(); \
                 SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)",
            )
            .await?;
        match <[String; 2]>::try_from(cluster) {
            Ok([system, timeline]) => Ok(Self { system, timeline }),
            Err(_) => Err(PostgresError::connection("the server has no identity")),
        }
    }
}

use super::PostgresError;
use super::link::Link;

/// How a PostgreSQL database is reached and replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresReport {
    /// Whether notifications arrive. They do not behind a pooler in transaction mode.
    pub notifications: bool,
    /// Its standbys.
    pub standbys: Standbys,
    /// The bytes of the log that the slowest standby has not applied yet, if the user of the database
    /// may see that.
    pub standby_lag: Option<u64>,
}

/// The standbys of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standbys {
    /// There are none.
    None,
    /// Commits do not wait for them, so a failover may lose answered changes.
    Asynchronous,
    /// Commits wait for them.
    Synchronous,
    /// Commits wait for them, and none is connected.
    Missing,
}

impl Standbys {
    /// Returns the name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asynchronous => "asynchronous",
            Self::Synchronous => "synchronous",
            Self::Missing => "missing",
        }
    }
}

impl PostgresReport {
    pub(super) async fn read(link: &Link, notifications: bool) -> Result<Self, PostgresError> {
        let rows = link
            .script(
                "SELECT current_setting('synchronous_standby_names') <> ''; \
                 SELECT count(*) FROM pg_stat_replication; \
                 SELECT CAST(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)) AS BIGINT) \
                 FROM pg_stat_replication",
            )
            .await?;
        let [waits, connected, lag] = &*rows else {
            return Err(PostgresError::connection("the standbys cannot be listed"));
        };
        Ok(Self {
            notifications,
            standbys: match (waits == "t", connected == "0") {
                (false, true) => Standbys::None,
                (false, false) => Standbys::Asynchronous,
                (true, false) => Standbys::Synchronous,
                (true, true) => Standbys::Missing,
            },
            standby_lag: lag.parse().ok(),
        })
    }
}

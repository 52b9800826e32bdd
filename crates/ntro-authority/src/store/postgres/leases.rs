//! The table of leases.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::cluster::Cluster;
use super::link::{BARRIER, Link};
use super::{PostgresError, PostgresUrl, StoreError};
use crate::lease::{Generation, LeaseRow, LeaseStore, Renewal, ReplicaId};
use crate::store::{Epoch, StoreFuture};

/// The most calls at one time; further ones wait.
const CONNECTIONS: usize = 6;
/// A lock that another call holds for longer is one whose commit is stuck.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";

/// The epoch of a database that was found to be older than the memory of this process, which must
/// not use it any more.
pub(super) type OlderEpoch = Arc<OnceLock<i64>>;

/// The table of leases, over connections of its own. A connection whose call has failed, or was
/// given up, is closed.
pub(super) struct PostgresLeases {
    url: PostgresUrl,
    /// Drives the connections.
    runtime: Handle,
    calls: Semaphore,
    idle: Mutex<Vec<Link>>,
    /// The cluster of the last join.
    joined: Mutex<Cluster>,
    older: OlderEpoch,
}

impl PostgresLeases {
    pub(super) fn new(url: &PostgresUrl, runtime: Handle, older: OlderEpoch) -> Arc<Self> {
        Arc::new(Self {
            url: url.clone(),
            runtime,
            calls: Semaphore::new(CONNECTIONS),
            idle: Mutex::default(),
            joined: Mutex::default(),
            older,
        })
    }

    /// Runs statements in one transaction; returns the first column of every row, and the cluster.
    async fn run(&self, sql: String) -> Result<(Vec<String>, Cluster), StoreError> {
        let _call = self.calls.acquire().await.map_err(|_| StoreError::Ended)?;
        let idle = self.idle().pop().filter(|link| !link.is_closed());
        let link = match idle {
            Some(link) => link,
            None => {
                let url = self.url.clone();
                let opening = self.runtime.spawn(async move { Link::open(&url).await });
                opening.await.map_err(|_| StoreError::Ended)??
            }
        };
        let rows = link.transaction(&sql).await?;
        let cluster = link.cluster.clone();
        self.idle().push(link);
        Ok((rows, cluster))
    }

    /// Writes a receipt, which holds no quotation marks but those of JSON.
    pub(super) async fn keep_receipt(&self, epoch: i64, receipt: String) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO receipts (epoch, receipt) VALUES ({epoch}, '{receipt}') \
             ON CONFLICT (epoch) DO NOTHING"
        );
        self.run(sql).await.map(drop)
    }

    /// Runs a statement on the row of a replica that has everything up to `acked`, which it must only
    /// write where that is not above the epoch. Returns the epoch, the row, and the cluster.
    async fn acknowledge(
        &self,
        acked: Epoch,
        statement: String,
    ) -> Result<(Epoch, Option<String>, Cluster), StoreError> {
        let sql = format!("{LOCK_TIMEOUT}; SELECT epoch FROM meta; {statement}");
        let (rows, cluster) = match self.older.get() {
            Some(found) => return Err(older(*found, acked)),
            None => self.run(sql).await?,
        };
        let mut rows = rows.into_iter();
        let epoch = number(rows.next().as_ref())?;
        if epoch < acked.0 {
            return Err(older(*self.older.get_or_init(|| epoch), acked));
        }
        Ok((Epoch(epoch), rows.next(), cluster))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn joined(&self) -> MutexGuard<'_, Cluster> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeaseStore for PostgresLeases {
    fn join(&self, replica: ReplicaId, acked: Epoch) -> StoreFuture<'_, Generation> {
        let sql = format!(
            "INSERT INTO lease (replica, generation, acked, fenced) \
             SELECT '{}', nextval('lease_generation'), {acked}, 0 FROM meta \
             WHERE epoch >= {acked} \
             ON CONFLICT (replica) DO UPDATE SET generation = excluded.generation, \
             acked = excluded.acked, fenced = 0 RETURNING generation",
            replica.0,
            acked = acked.0
        );
        Box::pin(async move {
            let (_, row, cluster) = self.acknowledge(acked, sql).await?;
            let generation = number(row.as_ref())?;
            *self.joined() = cluster;
            Ok(Generation(generation))
        })
    }

    fn renew(
        &self,
        replica: ReplicaId,
        generation: Generation,
        acked: Epoch,
    ) -> StoreFuture<'_, Renewal> {
        let sql = format!(
            "UPDATE lease SET acked = greatest(acked, {acked}) \
             WHERE replica = '{}' AND generation = {} AND fenced = 0 \
             AND (SELECT epoch FROM meta) >= {acked} RETURNING generation",
            replica.0,
            generation.0,
            acked = acked.0
        );
        Box::pin(async move {
            let (epoch, row, cluster) = self.acknowledge(acked, sql).await?;
            Ok(match row {
                Some(_) if cluster == *self.joined() => Renewal::Renewed(epoch),
                _ => Renewal::Fenced,
            })
        })
    }

    fn rows(&self) -> StoreFuture<'_, Vec<LeaseRow>> {
        let sql = format!(
            "{BARRIER}; SELECT replica || ' ' || generation || ' ' || acked || ' ' || fenced \
             FROM lease"
        );
        Box::pin(async move {
            let (rows, _) = self.run(sql).await?;
            rows.iter().skip(1).map(|row| lease_row(row)).collect()
        })
    }

    fn fence(&self, replica: ReplicaId, generation: Generation) -> StoreFuture<'_, ()> {
        let sql = format!(
            "{LOCK_TIMEOUT}; UPDATE lease SET fenced = 1 \
             WHERE replica = '{}' AND generation = {}",
            replica.0, generation.0
        );
        Box::pin(async move { self.run(sql).await.map(drop) })
    }

    fn remove(&self, replica: ReplicaId, generation: Generation) -> StoreFuture<'_, ()> {
        let sql = format!(
            "{LOCK_TIMEOUT}; DELETE FROM lease WHERE replica = '{}' AND generation = {}",
            replica.0, generation.0
        );
        Box::pin(async move { self.run(sql).await.map(drop) })
    }

    fn read_epoch(&self) -> StoreFuture<'_, Epoch> {
        let sql = format!("{BARRIER}; SELECT epoch FROM meta");
        Box::pin(async move {
            let (rows, cluster) = self.run(sql).await?;
            let epoch = Epoch(number(rows.get(1))?);
            if cluster != *self.joined() {
                return Err(
                    PostgresError::connection("this is not the cluster of the last join").into(),
                );
            }
            match self.older.get() {
                Some(found) => Err(older(*found, epoch)),
                None => Ok(epoch),
            }
        })
    }
}

fn older(found: i64, acked: Epoch) -> StoreError {
    StoreError::OlderDatabase {
        found,
        served: acked.0,
    }
}

fn number(text: Option<&String>) -> Result<i64, StoreError> {
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or(StoreError::Invalid { what: "lease" })
}

fn lease_row(text: &str) -> Result<LeaseRow, StoreError> {
    let fields: Vec<_> = text.split(' ').map(str::to_owned).collect();
    let replica = fields.first().and_then(|id| id.parse().ok());
    Ok(LeaseRow {
        replica: ReplicaId(replica.ok_or(StoreError::Invalid { what: "lease" })?),
        generation: Generation(number(fields.get(1))?),
        acked: Epoch(number(fields.get(2))?),
        fenced: number(fields.get(3))? != 0,
    })
}

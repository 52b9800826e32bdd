//! What happens to the database while it is in use.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::actor::Actor;
use crate::lease::{BootClock, BootTime};
use crate::store::cluster::Cluster;
use crate::store::{Epoch, OrganisationRecord, RegistryChange, Stamp, Store as _};

/// Records the last epoch.
#[derive(Default)]
struct LastEpoch(Mutex<i64>);

impl Subscriber for LastEpoch {
    fn apply(&self, Epoch(epoch): Epoch, _: Vec<RegistryChange>) {
        *self.0.lock().unwrap() = epoch;
    }
}

fn registry(cluster: &Cluster) -> (PostgresUrl, String) {
    let url = cluster.database();
    let name = url.split(['/', '?']).nth(3).unwrap().to_owned();
    let url = url.parse().unwrap();
    init(&url).unwrap();
    (url, name)
}

fn stamp() -> Stamp {
    Stamp {
        actor: Actor::System,
        at: Timestamp::now(),
    }
}

fn serve_to(url: &PostgresUrl, subscriber: &Arc<LastEpoch>) -> SqlStore {
    serve(join(url).unwrap(), subscriber.clone()).unwrap()
}

/// Waits until a condition holds.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Begins an epoch, as a revocation does.
async fn begin_epoch(store: &SqlStore) -> Result<(), StoreError> {
    store.revoke_successor(Uuid::new_v4(), None, stamp()).await
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn foreign_or_newer_database_is_refused() {
    let cluster = Cluster::shared();
    let url: PostgresUrl = cluster.database().parse().unwrap();
    let error = open(&url).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::NoRegistry { .. }), "{error}");
    init(&url).unwrap();
    init(&url).unwrap();
    open(&url).unwrap();

    let (newer, name) = registry(cluster);
    cluster.sql(&name, "UPDATE ntro_schema SET version = 99");
    let error = open(&newer).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }));

    let (copied, name) = registry(cluster);
    cluster.sql(&name, "UPDATE cluster SET system = '1'");
    let error = open(&copied).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::OtherCluster { .. }), "{error}");
    cluster.sql(&name, "DELETE FROM cluster");
    open(&copied).unwrap();

    let other = cluster.database();
    let name = other.split(['/', '?']).nth(3).unwrap();
    cluster.sql(name, "CREATE TABLE t (x INT)");
    let error = init(&other.parse().unwrap()).unwrap_err();
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn changes_reach_every_process() {
    let (url, _) = registry(Cluster::shared());
    let subscribers = [Arc::new(LastEpoch::default()), Arc::default()];
    let [one, other] = &subscribers;
    let first = serve_to(&url, one);
    let second = serve_to(&url, other);
    let last = |of: &LastEpoch| *of.0.lock().unwrap();
    begin_epoch(&first).await.unwrap();
    assert_eq!((last(one), last(other)), (1, 1));
    begin_epoch(&second).await.unwrap();
    assert_eq!((last(one), last(other)), (2, 2));
    // One that changes the registry beside them.
    begin_epoch(&open(&url).unwrap()).await.unwrap();
    assert_eq!((last(one), last(other)), (3, 3));
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn simultaneous_batches_follow_one_another() {
    let (url, name) = registry(Cluster::shared());
    let stores = [open(&url).unwrap(), open(&url).unwrap()];
    let create = |store: &SqlStore, number: usize| {
        let row = OrganisationRecord {
            id: Uuid::new_v4(),
            name: format!("Organisation {}", number / 2),
            external_id: None,
            created_at: Timestamp::now(),
        };
        drop(store.create_organisation(row, stamp()));
    };
    // Each name twice, from either process: the rule about names must see the other's commit.
    for number in 0..200 {
        create(&stores[number % 2], number);
    }
    for store in &stores {
        begin_epoch(store).await.unwrap();
    }
    let cluster = Cluster::shared();
    let counts = "SELECT count(*), count(DISTINCT name) FROM organisations";
    assert_eq!(cluster.sql(&name, counts), "100|100");
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn lost_connection_is_replaced() {
    let cluster = Cluster::shared();
    let (url, name) = registry(cluster);
    let subscriber = Arc::new(LastEpoch::default());
    let store = serve_to(&url, &subscriber);
    begin_epoch(&store).await.unwrap();
    assert_eq!(store.organisations().await.unwrap().len(), 0);
    cluster.sql(
        "postgres",
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    );
    assert_eq!(store.organisations().await.unwrap().len(), 0);
    begin_epoch(&store).await.unwrap();
    wait_until("the epoch", || *subscriber.0.lock().unwrap() == 2);
    wait_until("health", || store.is_healthy());
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn older_database_is_refused() {
    let cluster = Cluster::shared();
    let (url, name) = registry(cluster);
    let subscriber = Arc::new(LastEpoch::default());
    let store = serve_to(&url, &subscriber);
    for _ in 0..3 {
        begin_epoch(&store).await.unwrap();
    }
    cluster.sql(&name, "UPDATE meta SET epoch = 1");
    // A busy machine may lose its lease for another reason.
    let mut rounds = 0;
    wait_until("the older epoch", || {
        rounds = if store.is_healthy() { 0 } else { rounds + 1 };
        rounds > 200
    });
    // Later epochs of the older copy are refused as well.
    cluster.sql(&name, "UPDATE meta SET epoch = 8");
    // The change is in effect without it: this process has no lease, and gets none.
    begin_epoch(&store).await.unwrap();
    assert!(!store.is_healthy());
    assert_eq!(*subscriber.0.lock().unwrap(), 3);
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn cancelled_wait_is_unknown() {
    // Its settings are those of the whole server.
    let cluster = Cluster::start();
    let (url, name) = registry(&cluster);
    // The role does not decide.
    cluster.sql(&name, "ALTER ROLE ntro SET synchronous_commit = off");
    let store = open(&url).unwrap();
    begin_epoch(&store).await.unwrap();
    cluster.sql(
        &name,
        "ALTER SYSTEM SET synchronous_standby_names = 'absent'",
    );
    cluster.sql(&name, "SELECT pg_reload_conf()");
    wait_until("the setting", || {
        cluster.sql(&name, "SHOW synchronous_standby_names") == "absent"
    });
    let mut change = std::pin::pin!(begin_epoch(&store));
    let cancel = "SELECT count(*) FROM (SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
                  WHERE wait_event = 'SyncRep') AS cancelled";
    let start = Instant::now();
    let outcome = loop {
        if let Ok(outcome) = tokio::time::timeout(Duration::from_millis(20), &mut change).await {
            break outcome;
        }
        cluster.sql(&name, cancel);
        assert!(start.elapsed() < Duration::from_secs(60));
    };
    let error = outcome.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error}");
    assert_eq!(cluster.sql(&name, "SELECT epoch FROM meta"), "2");
}

/// A clock that is ten times too slow, as in a guest that its hypervisor pauses again and again.
struct SlowClock(Instant);

impl BootClock for SlowClock {
    fn now(&self) -> BootTime {
        BootTime::default() + Duration::from_secs(1) + self.0.elapsed() / 10
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn slow_clock_needs_a_barrier() {
    let cluster = Cluster::shared();
    let (url, name) = registry(cluster);
    let role = format!("slow_{name}");
    cluster.sql(
        "postgres",
        &format!("CREATE ROLE {role} LOGIN IN ROLE ntro"),
    );
    let slow = format!(
        "postgres://{role}@/{name}?host={}",
        cluster.folder().display()
    );
    let joining = Joining::new(&slow.parse().unwrap(), Arc::new(SlowClock(Instant::now())));
    let joining = joining.unwrap();
    let lease = joining.lease();
    let subscriber = Arc::new(LastEpoch::default());
    let store = serve(joining, subscriber.clone()).unwrap();
    store.barrier().await.unwrap();
    assert!(lease.holds());
    // It is cut from the database.
    cluster.sql("postgres", &format!("ALTER ROLE {role} NOLOGIN"));
    cluster.sql(
        "postgres",
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"),
    );
    begin_epoch(&open(&url).unwrap()).await.unwrap();
    // The change is answered, and the lease would still allow an answer without it.
    assert!(lease.holds());
    assert_eq!(*subscriber.0.lock().unwrap(), 0);
    assert!(store.barrier().await.is_err());
}

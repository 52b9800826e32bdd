use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::cluster::{Cluster, Mutant, NODES, Query, Reply};
use super::exchange::Exchange;
use super::faults::Faults;
use super::{Dice, REPLICAS};
use crate::lease::{
    BootClock, BootTime, ChangeReader, Generation, LeaseRow, LeaseStore, Renewal, Replica,
    ReplicaId, Terms,
};
use crate::store::{Epoch, StoreError, StoreFuture};

pub(super) const NAMES: [&str; REPLICAS] = ["replica-0", "replica-1", "replica-2"];

/// A request to a replica.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Verify(u32),
    Create(u32),
    Revoke(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// The key is accepted, or the change was made.
    Success,
    Refused,
    /// The replica cannot know, or the change is not confirmed.
    Unavailable,
}

/// Adds the replicas. Each has a clock of its own.
pub(super) fn host(
    simulation: &mut turmoil::Sim<'_>,
    cluster: &Arc<Cluster>,
    faults: &Faults,
    dice: &mut Dice,
) -> Exchange<Request, Response> {
    let requests = Exchange::new();
    for (number, name) in NAMES.into_iter().enumerate() {
        let cluster = cluster.clone();
        let pause = faults.pause(number);
        let requests_to = requests.clone();
        let rate = [91, 109, 100][usize::try_from(dice.below(3)).unwrap()];
        let start = dice.below(1 << 40);
        let starts = Arc::new(AtomicUsize::new(number));
        simulation.host(name, move || {
            let id = starts.fetch_add(REPLICAS, Ordering::Relaxed);
            let clock = Arc::new(DriftingClock {
                start,
                rate,
                began: Instant::now(),
            });
            let database = Arc::new(Link::new(cluster.clone()));
            let (replica, reads) = Replica::new(
                ReplicaId(Uuid::from_u128(id as u128)),
                database.clone(),
                database.clone(),
                clock,
                Terms::DEFAULT,
            );
            let (replica, pause) = (Arc::new(replica), pause.clone());
            let requests = requests_to.clone();
            async move {
                let keeping = replica.run(reads);
                let following = follow(&replica);
                let serving = requests.answer(pause.clone(), {
                    let (replica, database) = (replica.clone(), database.clone());
                    move |request| serve(replica.clone(), database.clone(), request)
                });
                let ((), (), served) = pause
                    .wrap(async { tokio::join!(keeping, following, serving) })
                    .await;
                served
            }
        });
    }
    requests
}

/// Catches up from time to time, as if after notifications.
async fn follow(replica: &Replica) {
    loop {
        // The next call tries again.
        let _ = replica.catch_up().await;
        sleep(Duration::from_millis(25)).await;
    }
}

async fn serve(replica: Arc<Replica>, database: Arc<Link>, request: Request) -> Response {
    match request {
        Request::Verify(key) => {
            let look_up = || database.memory().keys.get(&key) == Some(&true);
            let found = match replica.lease().guard(look_up) {
                Some(found) => Some(found),
                None => replica.barrier().await.ok().map(|_passage| look_up()),
            };
            match found {
                Some(true) => Response::Success,
                Some(false) => Response::Refused,
                None => Response::Unavailable,
            }
        }
        Request::Create(key) => change(&replica, &database, key, true).await,
        Request::Revoke(key) => change(&replica, &database, key, false).await,
    }
}

async fn change(replica: &Replica, database: &Link, key: u32, live: bool) -> Response {
    let Ok(Reply::Epoch(epoch)) = database.call(Query::Change(key, live)).await else {
        return Response::Unavailable;
    };
    match replica.revoker().confirm(epoch).await {
        Ok(_receipt) => Response::Success,
        Err(_) => Response::Unavailable,
    }
}

/// A clock with an offset and a rate, which goes on while its host is paused.
struct DriftingClock {
    start: u64,
    /// In percent of real time.
    rate: u32,
    began: Instant,
}

impl BootClock for DriftingClock {
    fn now(&self) -> BootTime {
        BootTime(self.start) + self.began.elapsed() * self.rate / 100
    }
}

/// The keys in memory, and the epoch that they are of.
#[derive(Default)]
struct Memory {
    keys: HashMap<u32, bool>,
    applied: Option<Epoch>,
}

/// A replica's way to the database. After a failure it tries the other node.
struct Link {
    cluster: Arc<Cluster>,
    node: AtomicUsize,
    memory: Arc<Mutex<Memory>>,
}

impl Link {
    fn new(cluster: Arc<Cluster>) -> Self {
        Self {
            cluster,
            node: AtomicUsize::new(0),
            memory: Arc::default(),
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    async fn call(&self, query: Query) -> Result<Reply, StoreError> {
        let node = self.node.load(Ordering::Relaxed);
        let ask = self.cluster.exchange.ask(NODES[node], query);
        let answer = tokio::time::timeout(Terms::DEFAULT.call_deadline() / 2, ask).await;
        if let Ok(Some(reply)) = answer {
            return Ok(reply);
        }
        // Other calls may have gone to the other node meanwhile.
        self.node.store(1 - node, Ordering::Relaxed);
        Err(StoreError::Ended)
    }
}

/// Calls the database, and takes the one reply that fits.
macro_rules! ask {
    ($link:expr, $query:expr, $reply:pat => $value:expr) => {
        Box::pin(async move {
            match $link.call($query).await? {
                $reply => Ok($value),
                other => panic!("{other:?}"),
            }
        })
    };
}

impl LeaseStore for Link {
    fn join(&self, replica: ReplicaId, acked: Epoch) -> StoreFuture<'_, Generation> {
        ask!(self, Query::Join(replica, acked), Reply::Generation(generation) => generation)
    }

    fn renew(
        &self,
        replica: ReplicaId,
        generation: Generation,
        acked: Epoch,
    ) -> StoreFuture<'_, Renewal> {
        ask!(self, Query::Renew(replica, generation, acked), Reply::Renewal(renewal) => renewal)
    }

    fn rows(&self) -> StoreFuture<'_, Vec<LeaseRow>> {
        ask!(self, Query::Rows, Reply::Rows(rows) => rows)
    }

    fn fence(&self, replica: ReplicaId, generation: Generation) -> StoreFuture<'_, ()> {
        ask!(self, Query::Fence(replica, generation), Reply::Done => ())
    }

    fn remove(&self, replica: ReplicaId, generation: Generation) -> StoreFuture<'_, ()> {
        ask!(self, Query::Remove(replica, generation), Reply::Done => ())
    }

    fn read_epoch(&self) -> StoreFuture<'_, Epoch> {
        ask!(self, Query::ReadEpoch, Reply::Epoch(epoch) => epoch)
    }
}

impl ChangeReader for Link {
    fn catch_up(&self) -> StoreFuture<'_, Epoch> {
        Box::pin(async move {
            let before = self.memory().applied;
            let Reply::Changes(epoch, changes) = self.call(Query::Changes(before)).await? else {
                return Err(StoreError::Ended);
            };
            if Some(epoch) < before {
                return Err(StoreError::Ended);
            }
            let memory = self.memory.clone();
            let apply = move || {
                let mut memory = memory.lock().unwrap();
                memory.keys.extend(changes);
                memory.applied = memory.applied.max(Some(epoch));
            };
            if self.cluster.mutant == Some(Mutant::AcknowledgedBeforePublished) {
                tokio::spawn(async move {
                    sleep(Duration::from_millis(100)).await;
                    apply();
                });
            } else {
                apply();
            }
            Ok(epoch)
        })
    }
}

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::shared_read::{Answer, NoAnswer, ReadRounds, SharedRead, within};
use super::{
    BootClock, ChangeReader, Generation, Lease, LeaseChange, LeaseStore, Passage, ReplicaId,
    Revoker, Tenure, Terms,
};
use crate::store::{Epoch, StoreError};

/// How long the first read of the whole database may take.
const FIRST_LOAD: Duration = Duration::from_secs(300);

/// This process as one of the replicas of a database: keeps its memory up to date and its lease
/// renewed while [`Replica::run`] runs.
pub(crate) struct Replica {
    id: ReplicaId,
    store: Arc<dyn LeaseStore>,
    reader: Arc<dyn ChangeReader>,
    clock: Arc<dyn BootClock>,
    terms: Terms,
    lease: Arc<Lease>,
    revoker: Revoker,
    /// What the memory has.
    applied: watch::Sender<Option<Epoch>>,
    generation: Mutex<Option<Generation>>,
    catch_up: SharedRead<Epoch>,
    epoch: SharedRead<Epoch>,
}

/// The reads of a [`Replica`], which [`Replica::run`] makes.
pub(crate) struct ReplicaReads {
    catch_up: ReadRounds<Epoch>,
    epoch: ReadRounds<Epoch>,
}

impl Replica {
    pub(crate) fn new(
        id: ReplicaId,
        store: Arc<dyn LeaseStore>,
        reader: Arc<dyn ChangeReader>,
        clock: Arc<dyn BootClock>,
        terms: Terms,
    ) -> (Self, ReplicaReads) {
        let (applied, watched) = watch::channel(None);
        let (catch_up, catch_up_rounds) = SharedRead::new();
        let (epoch, epoch_rounds) = SharedRead::new();
        let revoker = Revoker::new(store.clone(), clock.clone(), terms).serving(id, watched);
        let replica = Self {
            id,
            store,
            reader,
            lease: Arc::new(Lease::new(clock.clone())),
            clock,
            terms,
            revoker,
            applied,
            generation: Mutex::default(),
            catch_up,
            epoch,
        };
        let reads = ReplicaReads {
            catch_up: catch_up_rounds,
            epoch: epoch_rounds,
        };
        (replica, reads)
    }

    /// Returns the lease, for verification.
    pub(crate) fn lease(&self) -> Arc<Lease> {
        self.lease.clone()
    }

    /// Returns the revoker of this process.
    pub(crate) const fn revoker(&self) -> &Revoker {
        &self.revoker
    }

    /// Brings the memory up to date, and acknowledges it. Called on every hint that the database has
    /// changed; a lost hint costs one renewal interval.
    pub(crate) async fn catch_up(&self) -> Answer<Epoch> {
        self.catch_up.get().await
    }

    /// Waits until the memory has every change that was committed before this call.
    pub(crate) async fn barrier(&self) -> Answer<Passage> {
        let before = *self.applied.borrow();
        let epoch = self.epoch.get().await?;
        // The database is an older copy: its changes are not those in memory.
        if before > Some(epoch) {
            return Err(NoAnswer);
        }
        let applied = *self.applied.borrow();
        if applied < Some(epoch) && self.catch_up().await? < epoch {
            return Err(NoAnswer);
        }
        Ok(Passage::new())
    }

    /// Ends the lease and removes the row, so that no revoker waits for this process. Called after
    /// [`Replica::run`] was dropped.
    pub(crate) async fn leave(&self) {
        self.lease.end_now();
        let generation = self.generation().take();
        if let Some(generation) = generation {
            // Without an answer, the next revoker fences the row.
            let _ = self.call(self.store.remove(self.id, generation)).await;
        }
    }

    /// Loads the memory, joins, and renews the lease until the future is dropped.
    pub(crate) async fn run(&self, mut reads: ReplicaReads) {
        let catching_up = reads.catch_up.run(|| self.read_changes());
        let reading = reads.epoch.run(|| self.call(self.store.read_epoch()));
        tokio::join!(catching_up, reading, self.renew());
    }

    async fn read_changes(&self) -> Answer<Epoch> {
        let deadline = match *self.applied.borrow() {
            None => FIRST_LOAD,
            Some(_) => self.terms.catch_up_deadline(),
        };
        let epoch = within(deadline, self.reader.catch_up()).await?;
        // From here on it is acknowledged: the subscriber has applied it.
        self.applied.send_replace(Some(epoch));
        Ok(epoch)
    }

    async fn renew(&self) {
        let mut tenure = Tenure::default();
        loop {
            let began = Instant::now();
            let step = match tenure.generation() {
                None => self.join(&mut tenure).await,
                Some(_) => self.renew_once(&mut tenure).await,
            };
            let interval = self.terms.renewal_interval();
            match step {
                Ok(Renewed::Again) => {}
                Ok(Renewed::At(acked)) => self.wait(began + interval, acked).await,
                Err(NoAnswer) => sleep_until(began + interval / 8).await,
            }
        }
    }

    /// Writes a row with a new generation; the first time, when the memory is loaded.
    async fn join(&self, tenure: &mut Tenure) -> Answer<Renewed> {
        self.lease.end_now();
        let applied = match tenure.applied() {
            Some(applied) => applied,
            None => self.catch_up().await?,
        };
        tenure.apply(applied);
        let generation = self.call(self.store.join(self.id, applied)).await?;
        *self.generation() = Some(generation);
        tenure.join(generation);
        Ok(Renewed::Again)
    }

    async fn renew_once(&self, tenure: &mut Tenure) -> Answer<Renewed> {
        if let Some(applied) = *self.applied.borrow() {
            tenure.apply(applied);
        }
        let Some(request) = tenure.renewal(self.clock.now()) else {
            return Err(NoAnswer);
        };
        let renew = self.store.renew(self.id, request.generation, request.acked);
        match tenure.answer(request, self.call(renew).await?, self.terms) {
            LeaseChange::Extend(end) => self.lease.extend(end),
            LeaseChange::Keep => {}
            LeaseChange::End => {
                tracing::warn!("this replica was fenced and joins again");
                self.lease.end_now();
                return Ok(Renewed::Again);
            }
        }
        if tenure.is_behind() {
            self.catch_up().await?;
        }
        Ok(Renewed::At(request.acked))
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Answer<T> {
        within(self.terms.call_deadline(), call).await
    }

    fn generation(&self) -> MutexGuard<'_, Option<Generation>> {
        self.generation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the next renewal is due, or there is more to acknowledge than `acked`.
    async fn wait(&self, due: Instant, acked: Epoch) {
        let mut applied = self.applied.subscribe();
        tokio::select! {
            biased;
            () = sleep_until(due) => {}
            _ = applied.wait_for(|applied| *applied > Some(acked)) => {}
        }
    }
}

/// The outcome of one step of [`Replica::renew`].
enum Renewed {
    /// The next step follows without a pause.
    Again,
    /// The lease is renewed, and this epoch is acknowledged.
    At(Epoch),
}

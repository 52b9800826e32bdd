use std::fmt::Display;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::store::StoreError;

/// The database did not answer in time, or answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer;

/// The most callers that share one read.
const ROUND: usize = 4_096;

pub(crate) type Answer<T> = Result<T, NoAnswer>;

/// A read of the database that its callers share. Each gets the result of one that began after its
/// call; one is under way at a time.
pub(crate) struct SharedRead<T> {
    callers: mpsc::UnboundedSender<oneshot::Sender<Answer<T>>>,
}

/// The other end of a [`SharedRead`], which makes the reads.
pub(crate) struct ReadRounds<T> {
    callers: mpsc::UnboundedReceiver<oneshot::Sender<Answer<T>>>,
}

impl<T: Clone> SharedRead<T> {
    pub(crate) fn new() -> (Self, ReadRounds<T>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { callers: sender }, ReadRounds { callers: receiver })
    }

    /// Returns the result of a read that begins after this call.
    pub(crate) async fn get(&self) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        self.callers.send(answer).map_err(|_| NoAnswer)?;
        answered.await.unwrap_or(Err(NoAnswer))
    }
}

impl<T: Clone> ReadRounds<T> {
    /// Makes reads until every [`SharedRead`] is dropped.
    pub(crate) async fn run<R>(&mut self, mut read: impl FnMut() -> R)
    where
        R: Future<Output = Answer<T>>,
    {
        let mut round = Vec::new();
        while self.callers.recv_many(&mut round, ROUND).await > 0 {
            let answer = read().await;
            for caller in round.drain(..) {
                // The caller may have gone away.
                let _ = caller.send(answer.clone());
            }
        }
    }
}

/// Returns the result of a call to the database, if it comes in time.
pub(super) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Answer<T> {
    match timeout(deadline, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            warn(&format_args!(
                "a call to the database of leases failed: {error}"
            ));
            Err(NoAnswer)
        }
        Err(_) => {
            warn(&"a call to the database of leases took too long");
            Err(NoAnswer)
        }
    }
}

/// Logs a warning, unless there was one a moment ago: while a database is away, every call fails.
fn warn(message: &dyn Display) {
    const PAUSE: Duration = Duration::from_secs(5);
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);

    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match *last {
        Some(at) if at.elapsed() < PAUSE => tracing::debug!("{message}"),
        _ => {
            *last = Some(Instant::now());
            tracing::warn!("{message}");
        }
    }
}

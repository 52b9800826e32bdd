//! Threads with a queue, and the changes that the writer's queue holds.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::SqlSession;
use crate::store::StoreError;

pub(in crate::store) type ReadQuery = Box<dyn FnOnce(&dyn SqlSession) + Send>;

/// A thread with a queue. Dropping it ends the thread and waits for it.
pub(in crate::store) struct WorkerThread<T> {
    queue: Option<Sender<T>>,
    handle: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> WorkerThread<T> {
    pub(in crate::store) fn spawn(
        name: &str,
        body: impl FnOnce(Receiver<T>) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (queue, received) = mpsc::channel();
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || body(received))
            .map_err(StoreError::Thread)?;
        Ok(Self {
            queue: Some(queue),
            handle: Some(handle),
        })
    }
}

impl<T> WorkerThread<T> {
    pub(in crate::store) fn send(&self, item: T) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Ended)?;
        queue.send(item).map_err(|_| StoreError::Ended)
    }

    /// Returns whether the thread runs; it does not after a panic.
    pub(in crate::store) fn is_alive(&self) -> bool {
        let handle = self.handle.as_ref();
        handle.is_some_and(|handle| !handle.is_finished())
    }
}

impl<T> Drop for WorkerThread<T> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(handle) = self.handle.take() {
            // A panic was reported when it happened.
            let _ = handle.join();
        }
    }
}

/// A change, and the channel for its result.
pub(in crate::store) trait WriteJob: Send {
    /// Makes the change; the caller rolls it back when this returns `false`.
    fn run(&mut self, session: &dyn SqlSession) -> bool;
    /// Whether the change succeeds only with the confirmation of every serving process.
    fn is_strict(&self) -> bool;
    /// Sends the result, or the reason why the batch failed.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

type Work<T> = Box<dyn FnOnce(&dyn SqlSession) -> Result<T, StoreError> + Send>;

pub(super) struct WriteTask<T> {
    work: Option<Work<T>>,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    strict: bool,
}

impl<T> WriteTask<T> {
    pub(super) fn new(
        work: impl FnOnce(&dyn SqlSession) -> Result<T, StoreError> + Send + 'static,
        answer: oneshot::Sender<Result<T, StoreError>>,
        strict: bool,
    ) -> Self {
        Self {
            work: Some(Box::new(work)),
            result: None,
            answer,
            strict,
        }
    }
}

impl<T: Send> WriteJob for WriteTask<T> {
    fn run(&mut self, session: &dyn SqlSession) -> bool {
        let result = match self.work.take() {
            Some(work) => work(session),
            None => Err(StoreError::Ended),
        };
        let kept = result.is_ok();
        self.result = Some(result);
        kept
    }

    fn is_strict(&self) -> bool {
        self.strict
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match (self.result, failure) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err(failure),
            (Some(result), None) => result,
            (None, None) => Err(StoreError::Ended),
        };
        // The caller may have gone away.
        let _ = self.answer.send(result);
    }
}

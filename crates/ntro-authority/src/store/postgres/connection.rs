//! A connection of a thread that runs one statement after another.

use std::future::Future;
use std::ops::Deref;
use std::rc::Rc;

use tokio::runtime::Runtime;

use super::link::Link;
use super::{PostgresError, PostgresUrl};

/// A connection, driven by the runtime of its thread: nothing happens on it while no call is under
/// way.
pub(super) struct PostgresConnection {
    link: Link,
    runtime: Rc<Runtime>,
}

impl Deref for PostgresConnection {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl PostgresConnection {
    pub(super) fn open(url: &PostgresUrl, runtime: &Rc<Runtime>) -> Result<Self, PostgresError> {
        Ok(Self {
            link: runtime.block_on(Link::open(url))?,
            runtime: runtime.clone(),
        })
    }

    /// Runs a future of the connection.
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Runs several statements, in one message; returns the first column of every row.
    pub(super) fn script(&self, sql: &str) -> Result<Vec<String>, PostgresError> {
        self.block_on(self.link.script(sql))
    }

    /// Returns whether the server has closed the connection, as far as this machine knows.
    pub(super) fn is_closed(&self) -> bool {
        // Lets the runtime see what has arrived.
        self.block_on(async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
        self.link.is_closed()
    }
}

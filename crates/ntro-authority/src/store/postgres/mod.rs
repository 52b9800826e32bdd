//! PostgreSQL, for any number of processes.
//!
//! A process has one thread that writes, one that reads and one that follows the changes of all
//! processes, each with a connection of its own. The statements and their rules are those of
//! [`super::sql`].
//!
//! * **Commits.** A batch of changes is one transaction. It begins by locking the row of the epoch,
//!   so that epochs are ordered as the commits are, and the rules see one change after another. The
//!   commit is synchronous whatever the server's settings say. An answer that was lost, came too late
//!   or came with a warning leaves the outcome unknown: a cancelled wait for a standby looks like
//!   success otherwise. Such a change is reported as unknown, and is safe to repeat.
//! * **Primary only.** Each connection checks that its server is no standby, and that the cluster is
//!   the one in which the database was used before. An epoch below one that was served is refused.
//! * **Poolers.** Settings are those of a transaction, statements are not prepared, and notifications
//!   are only a hint.

mod cluster;
mod connection;
mod error;
mod follower;
mod reader;
mod schema;
mod session;
#[cfg(test)]
mod tests;
mod url;
mod writer;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use tokio::runtime::{Builder, Runtime};

use super::sql::{MIGRATIONS, SqlSession, SqlStore, WorkerThread, values};
use super::sqlite::Inspection;
use super::{StoreError, Subscriber};
use connection::PostgresConnection;
pub use error::PostgresError;
use follower::Follower;
use reader::PostgresReader;
use schema::{Missing, prepare, version};
pub use url::{PostgresUrl, PostgresUrlError};
use writer::PostgresWriter;

/// The channel of notifications about new epochs.
const CHANNEL: &str = "ntro_registry";

/// Opens the registry without serving it.
pub(super) fn open(url: &PostgresUrl) -> Result<SqlStore, StoreError> {
    check(url, Missing::Refuse)?;
    start(url, Arc::new(AtomicBool::new(true)), None, Box::new(()))
}

/// Opens the registry to serve it: loads every live key into the subscriber, and hands it every
/// change from then on.
pub(super) fn serve(
    url: &PostgresUrl,
    subscriber: Arc<dyn Subscriber>,
) -> Result<SqlStore, StoreError> {
    check(url, Missing::Refuse)?;
    let healthy = Arc::new(AtomicBool::new(true));
    let (thread, follower) = follower::start(url, subscriber, healthy.clone())?;
    start(url, healthy, Some(follower), Box::new(thread))
}

/// Makes the tables, if they are missing.
pub(super) fn init(url: &PostgresUrl) -> Result<(), StoreError> {
    check(url, Missing::Make)
}

/// Returns the proof of the database's pepper, if there is one yet.
pub(super) fn pepper_check(url: &PostgresUrl) -> Result<Option<[u8; 32]>, StoreError> {
    with_connection(url, |connection| {
        prepare(connection, url, Missing::Refuse)?;
        recorded_check(connection)
    })
}

/// Looks at the tables, and writes nothing; `None` if there are none.
pub(super) fn inspect(url: &PostgresUrl) -> Result<Option<Inspection>, StoreError> {
    with_connection(url, |connection| {
        let Some(found) = version(connection, url)? else {
            return Ok(None);
        };
        Ok(Some(Inspection {
            pending_steps: MIGRATIONS.len() - usize::try_from(found).unwrap_or(0),
            pepper_check: recorded_check(connection)?,
        }))
    })
}

fn recorded_check(session: &dyn SqlSession) -> Result<Option<[u8; 32]>, StoreError> {
    let check = session.first("SELECT pepper_check FROM meta", values![], |row| row.get(0));
    Ok(check?.flatten())
}

/// Writes the proof of the database's pepper, unless there is one already.
pub(super) fn set_pepper_check(url: &PostgresUrl, check: [u8; 32]) -> Result<(), StoreError> {
    with_connection(url, |connection| {
        connection.execute(
            "UPDATE meta SET pepper_check = ?1 WHERE pepper_check IS NULL",
            values![&check],
        )?;
        Ok(())
    })
}

fn check(url: &PostgresUrl, missing: Missing) -> Result<(), StoreError> {
    with_connection(url, |connection| prepare(connection, url, missing))
}

/// Runs `work` with a connection, on a thread of its own: the caller's may have a runtime already.
fn with_connection<T: Send>(
    url: &PostgresUrl,
    work: impl FnOnce(&PostgresConnection) -> Result<T, StoreError> + Send,
) -> Result<T, StoreError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .spawn_scoped(scope, || work(&PostgresConnection::open(url, &runtime()?)?));
        let thread = thread.map_err(StoreError::Thread)?;
        thread.join().map_err(|_| StoreError::Ended)?
    })
}

/// Starts the threads.
fn start(
    url: &PostgresUrl,
    healthy: Arc<AtomicBool>,
    follower: Option<Arc<Follower>>,
    held: Box<dyn std::any::Any + Send + Sync>,
) -> Result<SqlStore, StoreError> {
    let (writing, reading, health) = (url.clone(), url.clone(), healthy.clone());
    Ok(SqlStore {
        writer: WorkerThread::spawn("registry-writer", move |jobs| match runtime() {
            Ok(runtime) => PostgresWriter {
                url: writing,
                follower,
                healthy: health,
                runtime,
                connection: None,
            }
            .run(&jobs),
            Err(error) => tracing::error!(%error, "the registry cannot be written"),
        })?,
        reader: WorkerThread::spawn("registry-reader", move |queries| match runtime() {
            Ok(runtime) => PostgresReader::new(reading, runtime).run(&queries),
            Err(error) => tracing::error!(%error, "the registry cannot be read"),
        })?,
        healthy,
        _held: held,
    })
}

fn runtime() -> Result<Rc<Runtime>, StoreError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map(Rc::new).map_err(StoreError::Thread)
}

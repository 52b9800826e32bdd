//! PostgreSQL, for any number of processes.
//!
//! A process has one thread that writes and one that reads. One that serves has another that follows
//! the changes of all processes. Each has a connection of its own. The statements and their rules are
//! those of [`super::sql`]. A change is answered when it is in effect on every serving process: see
//! [`crate::lease`].
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

mod changes;
mod cluster;
mod connection;
mod error;
mod leases;
mod link;
mod reader;
mod receipts;
mod replica;
mod report;
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
use crate::lease::SystemBootClock;
use connection::PostgresConnection;
pub use error::PostgresError;
use reader::PostgresReader;
pub(super) use receipts::Receipts;
use replica::Confirmer;
pub(super) use replica::{Joining, ReplicaView};
pub use report::{PostgresReport, Standbys};
use schema::{Missing, prepare, version};
pub use url::{PostgresUrl, PostgresUrlError};
use writer::PostgresWriter;

/// The channel of notifications about new epochs.
const CHANNEL: &str = "ntro_registry";

/// Opens the registry without serving it.
pub(super) fn open(url: &PostgresUrl) -> Result<SqlStore, StoreError> {
    check(url, Missing::Refuse)?;
    let (confirmer, thread) = Confirmer::beside(url)?;
    start(url, confirmer, None, Box::new(thread))
}

/// Begins to serve the registry. The lease of this process is known before its subscriber.
pub(super) fn join(url: &PostgresUrl) -> Result<Joining, StoreError> {
    check(url, Missing::Refuse)?;
    Joining::new(url, Arc::new(SystemBootClock))
}

/// Serves the registry: loads every live key into the subscriber, and hands it every change from
/// then on.
pub(super) fn serve(
    joining: Joining,
    subscriber: Arc<dyn Subscriber>,
) -> Result<SqlStore, StoreError> {
    let url = joining.url().clone();
    let (confirmer, view, serving) = joining.serve(subscriber)?;
    start(&url, confirmer, Some(view), Box::new(serving))
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

/// Reports how the database is reached and replicated.
pub(super) fn report(url: &PostgresUrl) -> Result<PostgresReport, StoreError> {
    on_a_thread(|| Ok(runtime()?.block_on(replica::report(url))?))
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

fn with_connection<T: Send>(
    url: &PostgresUrl,
    work: impl FnOnce(&PostgresConnection) -> Result<T, StoreError> + Send,
) -> Result<T, StoreError> {
    on_a_thread(|| work(&PostgresConnection::open(url, &runtime()?)?))
}

/// Runs `work` on a thread of its own: the caller's may have a runtime already.
fn on_a_thread<T: Send>(
    work: impl FnOnce() -> Result<T, StoreError> + Send,
) -> Result<T, StoreError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, work);
        let thread = thread.map_err(StoreError::Thread)?;
        thread.join().map_err(|_| StoreError::Ended)?
    })
}

/// Starts the threads.
fn start(
    url: &PostgresUrl,
    confirmer: Confirmer,
    replica: Option<ReplicaView>,
    held: Box<dyn std::any::Any + Send + Sync>,
) -> Result<SqlStore, StoreError> {
    let healthy = Arc::new(AtomicBool::new(true));
    let receipts = confirmer.receipts();
    let (writing, reading, health) = (url.clone(), url.clone(), healthy.clone());
    Ok(SqlStore {
        writer: WorkerThread::spawn("registry-writer", move |jobs| match runtime() {
            Ok(runtime) => PostgresWriter {
                url: writing,
                confirmer,
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
        replica,
        receipts: Some(receipts),
        _held: held,
    })
}

fn runtime() -> Result<Rc<Runtime>, StoreError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map(Rc::new).map_err(StoreError::Thread)
}

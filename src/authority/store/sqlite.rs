//! SQLite, with one writer thread.
//!
//! Every change goes through the writer: it takes what is queued, runs it in one transaction
//! (WAL, `synchronous=FULL`: one sync for the whole batch), hands the changed rows to the
//! follower, and then answers all. Reads have a thread and a connection of their own.
//!
//! **Two processes on one database.** One process serves; it holds a lock file for as long as it
//! lives. `ntro admin` writes to the same file while it does. SQLite's `data_version` tells the
//! serving writer that somebody else has committed: it looks every 20 ms (some microseconds in an
//! idle thread, nothing on the path of a request), applies the rows whose `changed` lies above the
//! epoch it knows, and writes that epoch down as acknowledged. The other process answers only when
//! its own epoch is acknowledged or the lock is free, that is when the server has ended. A server
//! that was paused cannot acknowledge, so the other process reports that the change is written but
//! not confirmed: success is never claimed too early, and it takes no socket, no port and no
//! signal, on any platform. Leases and acknowledgements of several replicas are the same rule.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Row, params};
use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Answer, Change, Created, Follower, Key, KeyFilter, KeyHash, Member, Once, Organisation, Store,
    StoreError, Tenant, TenantFilter, TenantStatus,
};
use crate::authority::files::Files;
use crate::disk::{self, FileLock};
use crate::domain::{KeyPrefix, Scope};

/// The schema, one step a file; a step that was released is never changed.
const MIGRATIONS: &[&str] = &[include_str!("migrations/sqlite/0001_books.sql")];
/// "ntro" in ASCII: tells our databases from other people's.
const APPLICATION_ID: i64 = 0x6e74_726f;
/// How often a serving writer with nothing to do looks for commits of other processes.
const LOOK: Duration = Duration::from_millis(20);
/// The most changes that share one sync.
const BATCH: usize = 256;
/// How long another process waits for the serving one to acknowledge a change.
const CONFIRMATION: Duration = Duration::from_secs(10);
/// How long a starting server waits for one that is about to end, or for an `ntro admin` that
/// just looks whether somebody serves.
const TAKE_OVER: Duration = Duration::from_secs(2);
/// How long SQLite waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// The books in a SQLite file.
pub(in crate::authority) struct Sqlite {
    writer: Thread<Box<dyn Job>>,
    reader: Thread<Query>,
    well: Arc<AtomicBool>,
}

/// What the threads open.
struct Opened {
    path: PathBuf,
    well: Arc<AtomicBool>,
}

impl Sqlite {
    /// Opens the books for `ntro admin`, beside a serving process or without one.
    pub(in crate::authority) fn open(files: &Files) -> Result<Self, StoreError> {
        let connection = prepare(files)?;
        Self::start(
            files,
            connection,
            Side::Beside {
                files: files.clone(),
            },
        )
    }

    /// Opens the books to serve them: loads what may be accepted into the follower, then keeps it
    /// up to date. One process only at a time.
    pub(in crate::authority) fn serve(
        files: &Files,
        follower: Arc<dyn Follower>,
    ) -> Result<Self, StoreError> {
        let connection = prepare(files)?;
        let lock = files.serving(TAKE_OVER).map_err(|error| match error {
            disk::Error::Locked { .. } => StoreError::Served {
                path: files.database().to_owned(),
            },
            error => error.into(),
        })?;
        let mut feed = Feed {
            follower,
            epoch: -1,
            seen: None,
            _lock: lock,
        };
        feed.follow(&connection)?;
        Self::start(files, connection, Side::Serving(feed))
    }

    /// Returns what proves that a pepper is the database's, if there was one yet.
    pub(in crate::authority) fn pepper_check(
        files: &Files,
    ) -> Result<Option<[u8; 32]>, StoreError> {
        let connection = prepare(files)?;
        Ok(connection.query_row("SELECT pepper_check FROM meta", [], |row| row.get(0))?)
    }

    /// Writes down what proves that a pepper is the database's, once and for all.
    pub(in crate::authority) fn set_pepper_check(
        files: &Files,
        check: [u8; 32],
    ) -> Result<(), StoreError> {
        connect(files.database())?.execute(
            "UPDATE meta SET pepper_check = ?1 WHERE pepper_check IS NULL",
            [check],
        )?;
        Ok(())
    }

    fn start(files: &Files, connection: Connection, side: Side) -> Result<Self, StoreError> {
        let opened = Opened {
            path: files.database().to_owned(),
            well: Arc::new(AtomicBool::new(true)),
        };
        let well = opened.well.clone();
        let reading = connect(files.database())?;
        reading.execute_batch("PRAGMA query_only = ON")?;
        let writer = Writer {
            connection,
            side,
            opened,
        };
        Ok(Self {
            writer: Thread::spawn("books-writer", move |jobs| writer.run(&jobs)),
            reader: Thread::spawn("books-reader", move |queries: Receiver<Query>| {
                for query in queries {
                    query(&reading);
                }
            }),
            well,
        })
    }

    fn write<T: Send + 'static>(
        &self,
        strict: bool,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (answer, answered) = oneshot::channel();
        let job = Task {
            work: Some(Box::new(work)),
            result: None,
            answer,
            strict,
        };
        let sent = self.writer.send(Box::new(job));
        Box::pin(async move {
            sent?;
            answered.await.map_err(|_| StoreError::Ended)?
        })
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let (answer, answered) = oneshot::channel();
        let sent = self.reader.send(Box::new(move |connection| {
            // Nobody may be waiting any more.
            let _ = answer.send(work(connection));
        }));
        Box::pin(async move {
            sent?;
            answered.await.map_err(|_| StoreError::Ended)?
        })
    }
}

type Query = Box<dyn FnOnce(&Connection) + Send>;

/// A thread that ends, and is waited for, when its owner is dropped.
struct Thread<T> {
    queue: Option<Sender<T>>,
    handle: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Thread<T> {
    fn spawn(name: &str, body: impl FnOnce(Receiver<T>) + Send + 'static) -> Self {
        let (queue, received) = mpsc::channel();
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || body(received))
            .ok();
        Self {
            queue: Some(queue),
            handle,
        }
    }
}

impl<T> Thread<T> {
    fn send(&self, item: T) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Ended)?;
        queue.send(item).map_err(|_| StoreError::Ended)
    }
}

impl<T> Drop for Thread<T> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(handle) = self.handle.take() {
            // A thread that panicked has told so on its own.
            let _ = handle.join();
        }
    }
}

/// One change and whoever waits for it.
trait Job: Send {
    /// Makes the change; it is undone when this returns `false`.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Whether success may be told only when the serving process has confirmed the change.
    fn is_strict(&self) -> bool;
    /// Tells the result, or why the batch failed.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

type Work<T> = Box<dyn FnOnce(&Connection) -> Result<T, StoreError> + Send>;

struct Task<T> {
    work: Option<Work<T>>,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
    strict: bool,
}

impl<T: Send> Job for Task<T> {
    fn run(&mut self, connection: &Connection) -> bool {
        let result = match self.work.take() {
            Some(work) => work(connection),
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
        // Nobody may be waiting any more.
        let _ = self.answer.send(result);
    }
}

/// Which process this is.
enum Side {
    /// The one that serves.
    Serving(Feed),
    /// One that changes the books, beside a serving process or without one.
    Beside { files: Files },
}

struct Writer {
    connection: Connection,
    side: Side,
    opened: Opened,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Box<dyn Job>>) {
        loop {
            let first = match self.side {
                Side::Beside { .. } => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Side::Serving(_) => jobs.recv_timeout(LOOK),
            };
            let mut batch = match first {
                Ok(first) => vec![first],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !batch.is_empty() {
                batch.extend(jobs.try_iter().take(BATCH - 1));
            }
            self.turn(batch);
        }
    }

    /// Commits a batch, lets the follower catch up, and answers.
    fn turn(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let committed = if batch.is_empty() {
            Ok(None)
        } else {
            commit(&self.connection, &mut batch).map(Some)
        };
        let followed = match (&mut self.side, &committed) {
            (Side::Serving(feed), _) => feed.catch_up(&self.connection),
            (Side::Beside { files }, Ok(Some((before, after)))) if before != after => {
                confirm(&self.connection, files, *after)
            }
            (Side::Beside { .. }, _) => Ok(()),
        };
        let well = committed.is_ok() && followed.is_ok();
        if self.opened.well.swap(well, Ordering::Relaxed) != well {
            if well {
                tracing::info!("the books can be written again");
            } else {
                tracing::error!(?committed, ?followed, "the books cannot be written");
            }
        }
        for job in batch {
            let failure = match (&committed, &followed) {
                (Err(error), _) => Some(StoreError::Uncommitted(error.to_string())),
                (Ok(_), Err(_)) if job.is_strict() => Some(StoreError::Unconfirmed {
                    path: self.opened.path.clone(),
                }),
                _ => None,
            };
            job.answer(failure);
        }
    }
}

/// Runs a batch in one transaction, each job on its own; returns the epochs before and after.
fn commit(
    connection: &Connection,
    batch: &mut [Box<dyn Job>],
) -> Result<(i64, i64), rusqlite::Error> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut run = || {
        let before = epoch(connection)?;
        for job in batch.iter_mut() {
            connection.execute_batch("SAVEPOINT job")?;
            let kept = job.run(connection);
            connection.execute_batch(if kept {
                "RELEASE job"
            } else {
                "ROLLBACK TO job; RELEASE job"
            })?;
        }
        let after = epoch(connection)?;
        connection.execute_batch("COMMIT")?;
        Ok((before, after))
    };
    let result = run();
    if result.is_err() && !connection.is_autocommit() {
        // The first error is the one to tell.
        let _ = connection.execute_batch("ROLLBACK");
    }
    result
}

fn epoch(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection
        .prepare_cached("SELECT epoch FROM meta")?
        .query_row([], |row| row.get(0))
}

/// Begins a new epoch and returns it, for the rows that change in it.
fn next_epoch(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection
        .prepare_cached("UPDATE meta SET epoch = epoch + 1 RETURNING epoch")?
        .query_row([], |row| row.get(0))
}

/// What the serving process knows.
struct Feed {
    follower: Arc<dyn Follower>,
    /// The follower has applied everything up to this epoch.
    epoch: i64,
    /// SQLite's counter of other connections' commits when we last looked.
    seen: Option<i64>,
    /// Says to other processes that we serve. Dropped, and free, when we end in whatever way.
    _lock: FileLock,
}

impl Feed {
    /// Hands over what has changed, and acknowledges it if others have changed it.
    fn catch_up(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version = data_version(connection)?;
        if self.seen == Some(version) && epoch(connection)? == self.epoch {
            return Ok(());
        }
        self.follow(connection)
    }

    fn follow(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version = data_version(connection)?;
        // One read transaction, so that rows and epoch belong together.
        let reading = connection.unchecked_transaction()?;
        let epoch = epoch(connection)?;
        if epoch != self.epoch {
            let mut changes = Vec::new();
            let mut tenants = connection
                .prepare_cached(&format!("SELECT {TENANT} FROM tenants WHERE changed > ?1"))?;
            for tenant in tenants.query_map([self.epoch], tenant)? {
                changes.push(Change::Tenant(Box::new(tenant?)));
            }
            // At the start, revoked keys are of no interest to anybody.
            let mut keys = connection.prepare_cached(&format!(
                "SELECT {KEY} FROM api_keys WHERE changed > ?1 AND (revoked_at IS NULL OR ?1 >= 0)"
            ))?;
            for key in keys.query_map([self.epoch], key)? {
                changes.push(Change::Key(Box::new(key?)));
            }
            self.follower.apply(changes);
        }
        drop(reading);
        self.epoch = epoch;
        if self.seen != Some(version) {
            connection
                .prepare_cached("UPDATE meta SET acknowledged = ?1")?
                .execute([epoch])?;
            self.seen = Some(version);
        }
        Ok(())
    }
}

fn data_version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// Waits until the serving process has applied `epoch`, or none serves.
fn confirm(connection: &Connection, files: &Files, epoch: i64) -> Result<(), StoreError> {
    let start = Instant::now();
    loop {
        let acknowledged: i64 = connection
            .prepare_cached("SELECT acknowledged FROM meta")?
            .query_row([], |row| row.get(0))?;
        if acknowledged >= epoch {
            return Ok(());
        }
        match files.serving(Duration::ZERO) {
            Ok(_nobody_serves) => return Ok(()),
            Err(disk::Error::Locked { .. }) if start.elapsed() < CONFIRMATION => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(disk::Error::Locked { .. }) => {
                return Err(StoreError::Unconfirmed {
                    path: files.database().to_owned(),
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Makes the file if it is missing, and brings its schema up to date.
fn prepare(files: &Files) -> Result<Connection, StoreError> {
    let path = files.database();
    let lock = files.lock()?;
    if !path.exists() {
        // SQLite would make it readable by all; its own side files copy the mode of this one.
        disk::replace(path, b"", &lock)?;
    }
    let connection = connect(path)?;
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let found = number("PRAGMA user_version")?;
    let application = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application != APPLICATION_ID && (found != 0 || application != 0 || tables != 0) {
        return Err(StoreError::NotOurs {
            path: path.to_owned(),
        });
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found,
            known,
        });
    }
    connection.execute_batch("PRAGMA journal_mode = WAL")?;
    for (step, version) in MIGRATIONS
        .iter()
        .zip(1..)
        .skip(usize::try_from(found).unwrap_or(0))
    {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {step}; PRAGMA application_id = {APPLICATION_ID}; \
             PRAGMA user_version = {version}; COMMIT;"
        ))?;
    }
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
        .map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::NotOurs {
                path: path.to_owned(),
            },
            _ => error.into(),
        })?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

impl Store for Sqlite {
    fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    fn create_organisation(&self, row: Organisation) -> Answer<'_, ()> {
        self.write(false, move |connection| {
            let added = connection.execute(
                "INSERT INTO organisations (id, name, external_id, created_at) VALUES (?1, ?2, ?3, ?4)",
                params![id_text(row.id), row.name, row.external_id, millis(row.created_at)],
            );
            unique(added, "an organisation with the external id", || {
                row.external_id.unwrap_or_default()
            })
        })
    }

    fn organisations(&self) -> Answer<'_, Vec<Organisation>> {
        self.read(|connection| {
            let mut rows = connection.prepare_cached(&format!(
                "SELECT {ORGANISATION} FROM organisations ORDER BY created_at, rowid"
            ))?;
            let rows = rows.query_map([], organisation)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn organisation(&self, name: String) -> Answer<'_, Option<Organisation>> {
        self.read(move |connection| {
            let mut row = connection.prepare_cached(&format!(
                "SELECT {ORGANISATION} FROM organisations WHERE id = ?1 OR external_id = ?1 \
                 ORDER BY id = ?1 DESC"
            ))?;
            Ok(row.query_row([name], organisation).optional()?)
        })
    }

    fn note_member(&self, organisation: Uuid, member: Member) -> Answer<'_, ()> {
        self.write(false, move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO members (organisation_id, user_id, role, created_at) \
                     VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT DO UPDATE SET role = excluded.role",
                )?
                .execute(params![
                    id_text(organisation),
                    member.user_id,
                    member.role.as_str(),
                    millis(member.created_at)
                ])?;
            Ok(())
        })
    }

    fn members(&self, organisation: Uuid) -> Answer<'_, Vec<Member>> {
        self.read(move |connection| {
            let mut rows = connection.prepare_cached(
                "SELECT user_id, role, created_at FROM members WHERE organisation_id = ?1 \
                 ORDER BY created_at, rowid",
            )?;
            let rows = rows.query_map([id_text(organisation)], |row| {
                Ok(Member {
                    user_id: row.get(0)?,
                    role: parsed(row, 1)?,
                    created_at: instant(row, 2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn create_tenant(&self, row: Tenant) -> Answer<'_, ()> {
        self.write(false, move |connection| {
            let changed = next_epoch(connection)?;
            let added = connection.execute(
                &format!(
                    "INSERT INTO tenants ({TENANT}, changed) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                ),
                params![
                    id_text(row.id),
                    id_text(row.organisation_id),
                    row.slug,
                    row.name,
                    row.data_platform.as_str(),
                    row.data_platform_config_id,
                    row.status.as_str(),
                    row.config.map(|config| config.to_string()),
                    millis(row.created_at),
                    millis(row.updated_at),
                    changed
                ],
            );
            unique(added, "a tenant with the slug", || row.slug)
        })
    }

    fn tenants(&self, filter: TenantFilter) -> Answer<'_, Vec<Tenant>> {
        self.read(move |connection| {
            let mut rows = connection.prepare_cached(&format!(
                "SELECT {TENANT} FROM tenants WHERE (?1 IS NULL OR organisation_id = ?1) \
                 AND (?2 IS NULL OR status = ?2) ORDER BY number"
            ))?;
            let rows = rows.query_map(
                params![
                    filter.organisation.map(id_text),
                    filter.status.map(TenantStatus::as_str)
                ],
                tenant,
            )?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn tenant(&self, name: String) -> Answer<'_, Option<Tenant>> {
        self.read(move |connection| {
            let mut row = connection.prepare_cached(&format!(
                "SELECT {TENANT} FROM tenants WHERE id = ?1 OR slug = ?1"
            ))?;
            Ok(row.query_row([name], tenant).optional()?)
        })
    }

    fn set_tenant_status(
        &self,
        id: Uuid,
        status: TenantStatus,
        at: Timestamp,
    ) -> Answer<'_, Option<Tenant>> {
        self.write(true, move |connection| {
            let changed = next_epoch(connection)?;
            let mut row = connection.prepare_cached(&format!(
                "UPDATE tenants SET status = ?2, updated_at = ?3, changed = ?4 WHERE id = ?1 \
                 RETURNING {TENANT}"
            ))?;
            let values = params![id_text(id), status.as_str(), millis(at), changed];
            Ok(row.query_row(values, tenant).optional()?)
        })
    }

    fn set_tenant_config(
        &self,
        id: Uuid,
        config: Value,
        at: Timestamp,
    ) -> Answer<'_, Option<Tenant>> {
        self.write(false, move |connection| {
            let mut row = connection.prepare_cached(&format!(
                "UPDATE tenants SET config = ?2, updated_at = ?3 WHERE id = ?1 RETURNING {TENANT}"
            ))?;
            let values = params![id_text(id), config.to_string(), millis(at)];
            Ok(row.query_row(values, tenant).optional()?)
        })
    }

    fn create_key(&self, row: Key, once: Option<Once>) -> Answer<'_, Created> {
        self.write(false, move |connection| {
            if let Some(once) = &once {
                connection
                    .prepare_cached("DELETE FROM idempotency WHERE created_at < ?1")?
                    .execute([millis(once.forget_before)])?;
                let before = connection
                    .prepare_cached("SELECT body, key_id FROM idempotency WHERE request = ?1")?
                    .query_row([once.request], |row| {
                        Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, String>(1)?))
                    })
                    .optional()?;
                if let Some((body, id)) = before {
                    if body != once.body {
                        return Ok(Created::Conflict);
                    }
                    let key = connection
                        .prepare_cached(&format!("SELECT {KEY} FROM api_keys WHERE id = ?1"))?
                        .query_row([id], key)?;
                    return Ok(Created::Replayed(Box::new(key)));
                }
            }
            let changed = next_epoch(connection)?;
            connection
                .prepare_cached(&format!(
                    "INSERT INTO api_keys ({KEY}, changed) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
                ))?
                .execute(params![
                    id_text(row.id),
                    id_text(row.tenant_id),
                    row.provider.as_str(),
                    row.name.as_str(),
                    row.prefix.as_str(),
                    row.hash.0,
                    scopes_text(&row.scopes),
                    millis(row.created_at),
                    row.created_by,
                    row.expires_at.map(millis),
                    row.last_used_at.map(millis),
                    row.revoked_at.map(millis),
                    changed
                ])?;
            if let Some(once) = once {
                connection
                    .prepare_cached(
                        "INSERT INTO idempotency (request, body, key_id, created_at) \
                         VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![
                        once.request,
                        once.body,
                        id_text(row.id),
                        millis(row.created_at)
                    ])?;
            }
            Ok(Created::New)
        })
    }

    fn keys(&self, filter: KeyFilter) -> Answer<'_, Vec<Key>> {
        self.read(move |connection| {
            let mut rows = connection.prepare_cached(&format!(
                "SELECT {KEY} FROM api_keys WHERE (?1 IS NULL OR tenant_id = ?1) \
                 AND (?2 IS NULL OR provider = ?2) ORDER BY number DESC LIMIT ?3 OFFSET ?4"
            ))?;
            let rows = rows.query_map(
                params![
                    filter.tenant.map(id_text),
                    filter.provider.map(crate::domain::Provider::as_str),
                    filter.limit,
                    i64::try_from(filter.offset).unwrap_or(i64::MAX)
                ],
                key,
            )?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn key(&self, id: Uuid) -> Answer<'_, Option<Key>> {
        self.read(move |connection| {
            let mut row =
                connection.prepare_cached(&format!("SELECT {KEY} FROM api_keys WHERE id = ?1"))?;
            Ok(row.query_row([id_text(id)], key).optional()?)
        })
    }

    fn revoke_key(&self, id: Uuid, at: Timestamp) -> Answer<'_, Option<Key>> {
        self.write(true, move |connection| {
            // Also of a key that is revoked already: whoever asks twice may have been told
            // nothing the first time, and must wait for the same confirmation.
            let changed = next_epoch(connection)?;
            let mut row = connection.prepare_cached(&format!(
                "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2), changed = ?3 \
                 WHERE id = ?1 RETURNING {KEY}"
            ))?;
            Ok(row
                .query_row(params![id_text(id), millis(at), changed], key)
                .optional()?)
        })
    }

    fn touch(&self, used: Vec<(Uuid, Timestamp)>) -> Answer<'_, ()> {
        self.write(false, move |connection| {
            let mut row = connection.prepare_cached(
                "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE id = ?1",
            )?;
            for (id, at) in used {
                row.execute(params![id_text(id), millis(at)])?;
            }
            Ok(())
        })
    }

    fn backup(&self, to: &Path) -> Answer<'_, ()> {
        let to = to.to_owned();
        self.read(move |connection| {
            let mut copy = Connection::open_with_flags(&to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            {
                let backup = rusqlite::backup::Backup::new(connection, &mut copy)?;
                backup.run_to_completion(1_000, Duration::ZERO, None)?;
            }
            // One file, with no side files to forget.
            copy.execute_batch("PRAGMA journal_mode = DELETE")?;
            Ok(())
        })
    }
}

/// Columns, in the order in which the functions below read them.
const ORGANISATION: &str = "id, name, external_id, created_at";
const TENANT: &str = "id, organisation_id, slug, name, data_platform, data_platform_config_id, \
                      status, config, created_at, updated_at";
const KEY: &str = "id, tenant_id, provider, name, prefix, hash, scopes, created_at, created_by, \
                   expires_at, last_used_at, revoked_at";

fn organisation(row: &Row<'_>) -> rusqlite::Result<Organisation> {
    Ok(Organisation {
        id: parsed(row, 0)?,
        name: row.get(1)?,
        external_id: row.get(2)?,
        created_at: instant(row, 3)?,
    })
}

fn tenant(row: &Row<'_>) -> rusqlite::Result<Tenant> {
    let config: Option<String> = row.get(7)?;
    let config = config
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| invalid(7, error))?;
    Ok(Tenant {
        id: parsed(row, 0)?,
        organisation_id: parsed(row, 1)?,
        slug: row.get(2)?,
        name: row.get(3)?,
        data_platform: parsed(row, 4)?,
        data_platform_config_id: row.get(5)?,
        status: parsed(row, 6)?,
        config,
        created_at: instant(row, 8)?,
        updated_at: instant(row, 9)?,
    })
}

fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    let scopes: String = row.get(6)?;
    let scopes = scopes
        .split_whitespace()
        .map(|scope| scope.parse::<Scope>().map_err(|error| invalid(6, error)))
        .collect::<Result<_, _>>()?;
    let prefix: String = row.get(4)?;
    Ok(Key {
        id: parsed(row, 0)?,
        tenant_id: parsed(row, 1)?,
        provider: parsed(row, 2)?,
        name: parsed(row, 3)?,
        prefix: KeyPrefix::recorded(&prefix),
        hash: KeyHash(row.get(5)?),
        scopes,
        created_at: instant(row, 7)?,
        created_by: row.get(8)?,
        expires_at: optional_instant(row, 9)?,
        last_used_at: optional_instant(row, 10)?,
        revoked_at: optional_instant(row, 11)?,
    })
}

fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| invalid(column, error))
}

fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis = row.get(column)?;
    Timestamp::from_millisecond(millis).map_err(|error| invalid(column, error))
}

fn optional_instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?
        .map(|millis| Timestamp::from_millisecond(millis).map_err(|error| invalid(column, error)))
        .transpose()
}

fn invalid(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn id_text(id: Uuid) -> String {
    id.hyphenated().to_string()
}

fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

fn scopes_text(scopes: &[Scope]) -> String {
    let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    names.join(" ")
}

fn unique(
    added: rusqlite::Result<usize>,
    what: &'static str,
    name: impl FnOnce() -> String,
) -> Result<(), StoreError> {
    match added {
        Ok(_) => Ok(()),
        Err(rusqlite::Error::SqliteFailure(failure, _))
            if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
        {
            Err(StoreError::Conflict { what, name: name() })
        }
        Err(error) => Err(error.into()),
    }
}

//! The authority as a whole, its router, and the loop that serves it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::books::{Books, open_hasher};
use super::connections::Bounds;
use super::error::Error;
use super::files::Files;
use super::front::Front;
use super::limits::{Buckets, Payer, Source};
use super::oidc::Verifier;
use super::settings::{Database, Settings};
use super::store::{Member, Role, Sqlite};
use super::table::{Table, Use};
use super::{connections, routes};

/// How often the times of last use are written down.
const NOTE_USE: Duration = Duration::from_secs(30);

/// An authority that issues and verifies keys. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

/// What [`Authority`] shares.
struct Inner {
    books: Books,
    table: Arc<Table>,
    tokens: Verifier,
    failures: Buckets<Source>,
    payers: Buckets<Payer>,
    /// Who was written down, with which role.
    seen: Mutex<HashMap<(Uuid, String), Role>>,
    settings: Settings,
    draining: AtomicBool,
}

impl Authority {
    /// Opens the books to serve them, making them if they are missing, and loads every key.
    ///
    /// One process at a time serves a SQLite database.
    ///
    /// # Errors
    ///
    /// Fails when the database or a file beside it cannot be used or is not what it should be,
    /// when another process serves it, or when a setting makes no sense.
    pub fn open(database: &Database, settings: Settings) -> Result<Self, Error> {
        let Database::Sqlite(path) = database;
        let files = Files::beside(path);
        let hasher = open_hasher(&files)?;
        let table = Arc::new(Table::new(
            hasher.clone(),
            &settings.region,
            settings.limits.tenant_per_minute,
        ));
        let store = Arc::new(Sqlite::serve(&files, table.clone())?);
        let books = Books::over(store, hasher, &files)?;
        let tokens = Verifier::new(&settings.issuers, &books.jwks())?;
        Ok(Self(Arc::new(Inner {
            books,
            table,
            tokens,
            failures: Buckets::per_minute(settings.limits.failures_per_minute),
            payers: Buckets::per_minute(settings.limits.tenant_per_minute),
            seen: Mutex::default(),
            settings,
            draining: AtomicBool::new(false),
        })))
    }

    /// Returns the books.
    #[must_use]
    pub fn books(&self) -> &Books {
        &self.0.books
    }

    /// Returns whether requests should be sent here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.0.draining.load(Ordering::Relaxed) && self.0.books.store().is_well()
    }

    /// Writes down when keys were last used, if any were since this last succeeded.
    ///
    /// # Errors
    ///
    /// Fails when the database cannot be written.
    pub async fn note_use(&self) -> Result<(), Error> {
        let uses = self.0.table.uses();
        if !uses.is_empty() {
            let rows = uses.iter().map(Use::row).collect();
            self.0.books.store().touch(rows).await?;
            self.0.table.noted(&uses);
        }
        Ok(())
    }
}

impl Authority {
    pub(super) fn table(&self) -> &Table {
        &self.0.table
    }

    pub(super) fn tokens(&self) -> &Verifier {
        &self.0.tokens
    }

    pub(super) fn failures(&self) -> &Buckets<Source> {
        &self.0.failures
    }

    pub(super) fn payers(&self) -> &Buckets<Payer> {
        &self.0.payers
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Writes down that a person was seen, unless that was done before. No request is about this,
    /// so none fails for it: what could not be written is told to the log, and tried again the next
    /// time that the person is seen.
    pub(super) async fn note_member(&self, organisation: Uuid, member: Member) {
        let person = (organisation, member.user_id.clone());
        let role = member.role;
        if self.seen().get(&person) == Some(&role) {
            return;
        }
        match self.books().store().note_member(organisation, member).await {
            Ok(()) => {
                self.seen().insert(person, role);
            }
            Err(error) => tracing::error!(%error, "a member could not be noted"),
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<(Uuid, String), Role>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns everything that the authority answers, to be served by other means than [`serve`].
pub fn router(authority: Authority) -> Router {
    Router::new().fallback_service(front(authority))
}

fn front(authority: Authority) -> Front {
    let routes = routes::all().with_state(authority.clone());
    Front::new(routes).with_at_once(move |head| routes::at_once(&authority, head))
}

/// Serves until `shutdown` is done, then lets the requests under way end, for a bounded time.
///
/// # Errors
///
/// Fails when the last of what is kept in memory cannot be written down.
pub async fn serve(
    listener: TcpListener,
    authority: Authority,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let settings = authority.settings();
    let bounds = Bounds {
        connections: settings.connections,
        head: settings.patience,
        drain: settings.drain,
    };
    let shutdown = async {
        shutdown.await;
        authority.0.draining.store(true, Ordering::Relaxed);
    };
    let noting = async {
        loop {
            tokio::time::sleep(NOTE_USE).await;
            if let Err(error) = authority.note_use().await {
                tracing::error!(%error, "the times of last use could not be written");
            }
        }
    };
    tokio::select! {
        () = connections::serve(listener, front(authority.clone()), bounds, shutdown) => {}
        () = noting => {}
    }
    authority.note_use().await
}

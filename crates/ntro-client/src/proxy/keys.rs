//! The key that calls are made with.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use ntro_base::{ApiKey, Origin, Provider};
use zeroize::Zeroizing;

use super::Settings;
use crate::redact::Redactor;
use crate::resolve::{self, Connection};
use crate::{BoundKey, Session};

/// Former keys are redacted as well: an answer may still repeat them.
const FORMER: usize = 3;

/// Gives the key of a connection.
pub trait KeySource: Send + Sync {
    /// Returns the key. `reread` is set after the server rejected the last one: it may have been
    /// rotated in the meantime.
    fn key(&self, reread: bool) -> KeyFuture<'_>;
}

/// The future that [`KeySource::key`] returns.
pub type KeyFuture<'a> =
    Pin<Box<dyn Future<Output = Result<BoundKey, KeyUnavailable>> + Send + 'a>>;

/// Why there is no key, in words that a child may see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyUnavailable(pub String);

/// The key that was read last, and what belongs to it.
pub(super) struct CurrentKey {
    key: ApiKey,
    header: HeaderValue,
    /// Masks this key and the former ones.
    redactor: Redactor,
}

impl CurrentKey {
    /// Returns the headers's value with the key.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Returns the redactor of whole texts.
    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

/// Reads the key from its source when it is needed.
pub(super) struct Keys {
    source: Arc<dyn KeySource>,
    provider: Provider,
    origin: Origin,
    /// The time in which the source is asked again once.
    interval: Duration,
    current: RwLock<Option<Arc<CurrentKey>>>,
    /// Held while the source is asked: the time of the last answer, and the former keys.
    reading: tokio::sync::Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    last: Option<Instant>,
    keys: Vec<ApiKey>,
}

impl Keys {
    pub(super) fn new(settings: &Settings, origin: Origin) -> Self {
        Self {
            source: Arc::clone(&settings.keys),
            provider: settings.provider,
            origin,
            interval: settings.timeouts.reread,
            current: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// Returns the current key.
    pub(super) async fn current(&self) -> Result<Arc<CurrentKey>, KeyUnavailable> {
        if let Some(current) = self.known() {
            return Ok(current);
        }
        let mut reading = self.reading.lock().await;
        match self.known() {
            Some(current) => Ok(current),
            None => self.read(&mut reading, false).await,
        }
    }

    /// Returns another key than the rejected one, if there is one by now.
    pub(super) async fn after_rejection(&self, of: &Arc<CurrentKey>) -> Option<Arc<CurrentKey>> {
        let mut reading = self.reading.lock().await;
        let is_recent = reading
            .last
            .is_some_and(|last| last.elapsed() < self.interval);
        let known = self.known();
        let is_replaced = known.as_ref().is_some_and(|known| known.key != of.key);
        let current = match is_recent || is_replaced {
            true => known,
            false => self.read(&mut reading, true).await.ok(),
        };
        current.filter(|current| current.key != of.key)
    }

    /// Returns the redactor of the current key, if one was read.
    pub(super) fn known(&self) -> Option<Arc<CurrentKey>> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(
        &self,
        reading: &mut Reading,
        reread: bool,
    ) -> Result<Arc<CurrentKey>, KeyUnavailable> {
        let bound = self.source.key(reread).await;
        // A store that fails is not asked for each rejected call either.
        reading.last = reread.then(Instant::now);
        let bound = bound?;
        let key = bound.for_origin(&self.origin).ok_or_else(|| {
            KeyUnavailable(format!(
                "the key is for `{}`, not for `{}`",
                bound.origin(),
                self.origin
            ))
        })?;
        if let Some(known) = self.known()
            && known.key == *key
        {
            return Ok(known);
        }
        reading.keys.retain(|former| former != key);
        reading.keys.insert(0, key.clone());
        reading.keys.truncate(1 + FORMER);
        let current = Arc::new(CurrentKey {
            key: key.clone(),
            header: header_value(self.provider, key),
            redactor: Redactor::of_keys(&reading.keys),
        });
        let mut cell = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *cell = Some(Arc::clone(&current));
        Ok(current)
    }
}

/// Returns the name of the header with the key.
pub(super) fn header_name(provider: Provider) -> HeaderName {
    match provider {
        Provider::Ntropii => AUTHORIZATION,
        Provider::Ontora => HeaderName::from_static("x-api-key"),
    }
}

fn header_value(provider: Provider, key: &ApiKey) -> HeaderValue {
    let text = match provider {
        Provider::Ntropii => Zeroizing::new(format!("Bearer {}", key.expose())),
        Provider::Ontora => Zeroizing::new(key.expose().to_owned()),
    };
    #[expect(clippy::expect_used, reason = "keys are visible ASCII only")]
    let mut value = HeaderValue::from_str(&text).expect("visible ASCII");
    value.set_sensitive(true);
    value
}

/// A key that no other one replaces.
impl KeySource for BoundKey {
    fn key(&self, _: bool) -> KeyFuture<'_> {
        Box::pin(async { Ok(self.clone()) })
    }
}

/// The key of the connection that a session resolves.
pub struct SessionKeys {
    session: Arc<Session>,
    first: BoundKey,
}

impl SessionKeys {
    /// Takes the session's key, and the session to read it again when the server rejects it.
    #[must_use]
    pub fn new(session: Session, first: BoundKey) -> Self {
        Self {
            session: Arc::new(session),
            first,
        }
    }
}

impl KeySource for SessionKeys {
    fn key(&self, reread: bool) -> KeyFuture<'_> {
        if !reread {
            let first = self.first.clone();
            return Box::pin(async { Ok(first) });
        }
        let session = Arc::clone(&self.session);
        let read = move || -> Result<Connection, resolve::Error> { session.reread().connection() };
        Box::pin(async move {
            let unavailable = |error: &dyn fmt::Display| KeyUnavailable(error.to_string());
            // Stores block.
            let connection = tokio::task::spawn_blocking(read)
                .await
                .map_err(|error| unavailable(&error))?
                .map_err(|error| unavailable(&error))?;
            Ok(connection.key.value)
        })
    }
}

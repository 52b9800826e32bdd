//! Reads the keys of all connections from their stores, before any request is sent.
//!
//! Reads them one at a time and before anything is drawn, since a store may ask for its passphrase.
//! A store that fails as a whole is not read again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntro_base::{ConnectionName, shown_host};
use ntro_client::api::Target;
use ntro_client::resolve::{self, Inputs, KeySource, Resolution};
use ntro_client::secrets::{StoreKind, Stores};

use super::row::{ConnectionState, StatusRow};
use crate::error::CliError;
use crate::exit::Kind;

/// A connection with the key and target of its check.
pub(super) struct Asked {
    pub(super) row: StatusRow,
    pub(super) key: Option<KeyToCheck>,
}

/// The key and the target of a check.
pub(super) struct KeyToCheck {
    pub(super) target: Target,
    /// Expiry of the key, as the server reported it at login.
    pub(super) recorded: Option<Timestamp>,
}

/// Why a store cannot be read.
struct Closed {
    state: ConnectionState,
    kind: Kind,
    message: String,
}

/// Reads the keys of connections from their stores.
pub(super) struct KeyReader<'a> {
    inputs: Inputs<'a>,
    stores: &'a Stores,
    insecure_http: bool,
    closed: BTreeMap<StoreKind, Closed>,
}

impl<'a> KeyReader<'a> {
    pub(super) fn new(inputs: Inputs<'a>, stores: &'a Stores, insecure_http: bool) -> Self {
        Self {
            inputs,
            stores,
            insecure_http,
            closed: BTreeMap::new(),
        }
    }

    /// Reads the key of the active connection, as a call does.
    pub(super) fn active(&mut self) -> Result<Asked, CliError> {
        let resolution = self.inputs.resolve();
        let Some(name) = resolution.name()? else {
            return Err(CliError::no_connection());
        };
        self.take(&name.value, &resolution)
    }

    /// Reads the keys of all connections, ignoring the variables that override the active one.
    pub(super) fn all(&mut self) -> Result<Vec<Asked>, CliError> {
        let names = self.inputs.config.names();
        names
            .map(|name| match name.parse::<ConnectionName>() {
                Ok(name) => self.take(&name, &self.inputs.alone(&name)),
                Err(error) => {
                    let mut row = self.row(name);
                    row.fail(ConnectionState::Failed, Kind::Config, &error.to_string());
                    Ok(Asked { row, key: None })
                }
            })
            .collect()
    }

    fn row(&self, name: &str) -> StatusRow {
        let entry = self.inputs.config.connections.get(name);
        let host = entry.and_then(|entry| entry.host.as_deref());
        StatusRow::new(name.to_owned(), host.map(shown_host))
    }

    fn take(&mut self, name: &ConnectionName, resolution: &Resolution) -> Result<Asked, CliError> {
        let mut row = self.row(name.as_str());
        row.production = resolution.production().is_ok_and(|found| found.is_some());
        let store = match resolution.key().map(|key| &key.value) {
            Ok(KeySource::Stored(stored)) => Some(stored.kind),
            _ => None,
        };
        if let Some(closed) = store.and_then(|kind| self.closed.get(&kind)) {
            row.fail(closed.state, closed.kind, &closed.message);
            return Ok(Asked { row, key: None });
        }
        let connection = match resolution.connection(self.stores) {
            Ok(connection) => connection,
            Err(error) => {
                let state = state(&error);
                let whole = matches!(
                    &error,
                    resolve::Error::Store(error) if error.is_of_the_whole_store()
                );
                let error = CliError::from(error);
                if error.kind == Kind::Interrupted {
                    return Err(error);
                }
                row.fail(state, error.kind, &error.message);
                if let Some(kind) = store.filter(|_| whole) {
                    let closed = Closed {
                        state,
                        kind: error.kind,
                        message: error.message,
                    };
                    self.closed.insert(kind, closed);
                }
                return Ok(Asked { row, key: None });
            }
        };
        row.host = Some(connection.host.value.to_string());
        let key = connection.key.value;
        let login = self.inputs.records.get(name.as_str());
        let recorded = login
            .filter(|login| login.key_prefix == key.prefix().as_str())
            .and_then(|login| login.expires_at);
        let target = Target {
            provider: connection.provider.value,
            host: connection.host.value,
            key: Some(key),
            insecure_http: self.insecure_http,
        };
        Ok(Asked {
            row,
            key: Some(KeyToCheck { target, recorded }),
        })
    }
}

fn state(error: &resolve::Error) -> ConnectionState {
    use resolve::Error as E;
    match error {
        E::NoKey { .. } | E::KeyBoundElsewhere { .. } => ConnectionState::NoKey,
        E::Store(error) if error.is_locked() => ConnectionState::Locked,
        // The store works, but the item is not a key.
        E::Store(error) if error.is_no_key() => ConnectionState::Failed,
        E::Store(_) => ConnectionState::StoreUnavailable,
        _ => ConnectionState::Failed,
    }
}

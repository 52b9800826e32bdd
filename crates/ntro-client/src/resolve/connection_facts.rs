use std::cell::OnceCell;

use secrecy::ExposeSecret as _;

use super::{Error, Inputs, Source, Sourced, parse};
use crate::BoundKey;
use crate::config::{ConnectionEntry, SafetySettings};
use crate::secrets::{Item, StoreKind};
use crate::state::KeyRecord;
use ntro_base::{ApiKey, ConnectionName, Host, KeyPrefix, Origin, Policy};

/// A key in a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredKey {
    /// The store.
    pub kind: StoreKind,
    /// The item that the key is stored under.
    pub item: Item,
    /// Its prefix, if it was recorded at login.
    pub prefix: Option<KeyPrefix>,
    /// Whether a file names the store; otherwise the default store is only tried.
    pub recorded: bool,
}

/// The data about one connection in `config.toml` and `logins.toml`, independent of the
/// environment. URLs are parsed only on demand, and once: a list of connections needs few of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionFacts<'a> {
    /// Its name.
    pub name: ConnectionName,
    /// Its entry in `config.toml`.
    pub entry: &'a ConnectionEntry,
    /// The record of its last login.
    pub login: Option<&'a KeyRecord>,
    /// Its store: the one in the entry, else the one of the last login, else `plaintext` if
    /// `api_key` is set, else the keyring. An error if the store is unknown.
    pub store: Result<Sourced<StoreKind>, Error>,
    configured: OnceCell<Result<Origin, Error>>,
    stored: OnceCell<Result<StoredKey, Error>>,
    inputs: Inputs<'a>,
}

impl<'a> ConnectionFacts<'a> {
    pub(super) fn of(inputs: Inputs<'a>, name: &ConnectionName) -> Self {
        static NOTHING: ConnectionEntry = ConnectionEntry {
            host: None,
            api_key: None,
            default_tenant: None,
            default_entity: None,
            provider: None,
            store: None,
            admin_token_command: None,
            policy: None,
            production: None,
        };
        let entry = inputs.config.connections.get(name.as_str());
        let entry = entry.unwrap_or(&NOTHING);
        let login = inputs.records.get(name.as_str());
        Self {
            name: name.clone(),
            entry,
            login,
            store: store(inputs, name, entry, login),
            configured: OnceCell::new(),
            stored: OnceCell::new(),
            inputs,
        }
    }

    /// Returns the origin of the host. Fails if the host is missing or is not a base URL.
    pub fn configured(&self) -> Result<&Origin, Error> {
        let parse = || match &self.entry.host {
            Some(host) => Ok(parse::<Host>(host, &self.source("host"))?.origin()),
            None => Err(no_host(self.inputs, &self.name)),
        };
        let configured = self.configured.get_or_init(parse);
        configured.as_ref().map_err(Clone::clone)
    }

    /// Returns the stored key. Fails without a usable host, or if the store is unknown.
    pub fn stored(&self) -> Result<&StoredKey, Error> {
        let stored = self.stored.get_or_init(|| self.find_stored());
        stored.as_ref().map_err(Clone::clone)
    }

    /// Returns whether another program has logged the connection in to another origin since the
    /// last login of `ntro`: the official clients store the key in plain text, next to the host.
    /// The store then has the key of the earlier origin.
    ///
    /// An official login replaces the whole entry, so no key of `ntro` remains in it. If one
    /// remains, the host was edited by hand: a plain-text key next to it may be older and belong to
    /// another server. It is not sent to any server until the next login.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        if self.entry.api_key.is_none() || self.entry.has_own_keys() {
            return false;
        }
        match (self.stored(), self.configured()) {
            (Ok(stored), Ok(configured)) => {
                stored.kind != StoreKind::Plaintext && stored.item.origin != *configured
            }
            _ => false,
        }
    }

    /// Returns the policy of the stored key.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let (entry, recorded) = self.safety();
        entry.unwrap_or(recorded).policy.unwrap_or_default()
    }

    pub(super) fn source(&self, key: &str) -> Source {
        self.inputs.entry_source(&self.name, key)
    }

    /// Returns the safety settings of the entry, and the recorded ones. The recorded ones apply if
    /// the official clients have rewritten the entry.
    pub(super) fn safety(&self) -> (Option<SafetySettings>, SafetySettings) {
        let recorded = self.inputs.records.safety(self.name.as_str());
        (self.entry.safety(), recorded)
    }

    /// Returns the key in plain text, which is bound to the host in the same entry.
    pub(super) fn plain_key(&self, origin: &Origin) -> Result<Sourced<BoundKey>, Error> {
        let source = self.source("api_key");
        let beside = self.configured()? == origin;
        match &self.entry.api_key {
            Some(plain) if beside => Ok(Sourced {
                value: BoundKey::new(parse(plain.expose_secret(), &source)?, origin.clone()),
                source,
            }),
            _ => Err(Error::NoKey {
                connection: Some(self.name.clone()),
                store: self.store.as_ref().ok().map(|store| store.value),
            }),
        }
    }

    fn find_stored(&self) -> Result<StoredKey, Error> {
        let entry = self.entry;
        let kind = self.store.as_ref().map_err(Clone::clone)?.value;
        let configured = self.configured()?;
        let login = self.login.filter(|login| login.store == kind.as_str());
        // Another program wrote a key into `config.toml`, together with the host; it differs from
        // the key stored at login.
        let is_replaced = |login: &KeyRecord| {
            let key = entry.api_key.as_ref();
            let key = key.and_then(|key| key.expose_secret().parse::<ApiKey>().ok());
            kind == StoreKind::Plaintext
                && key.is_some_and(|key| login.key_prefix != key.prefix().as_str())
        };
        let login = login.filter(|login| !is_replaced(login));
        let origin = match login {
            Some(login) => {
                let source = Source::KeyRecord(self.inputs.home.logins());
                parse(&login.origin, &source)?
            }
            None => configured.clone(),
        };
        Ok(StoredKey {
            kind,
            item: Item::new(self.name.clone(), origin),
            prefix: login.map(|login| KeyPrefix::recorded(&login.key_prefix)),
            recorded: login.is_some() || entry.store.is_some(),
        })
    }
}

fn store(
    inputs: Inputs<'_>,
    name: &ConnectionName,
    entry: &ConnectionEntry,
    login: Option<&KeyRecord>,
) -> Result<Sourced<StoreKind>, Error> {
    let named = |text: &str, source: Source| {
        Ok(Sourced {
            value: parse(text, &source)?,
            source,
        })
    };
    let (value, source) = match (&entry.store, login) {
        (Some(store), _) => return named(store, inputs.entry_source(name, "store")),
        (None, Some(login)) => {
            return named(&login.store, Source::KeyRecord(inputs.home.logins()));
        }
        (None, None) if entry.api_key.is_some() => {
            (StoreKind::Plaintext, inputs.entry_source(name, "api_key"))
        }
        (None, None) => (StoreKind::Keyring, Source::Default),
    };
    Ok(Sourced { value, source })
}

pub(super) fn no_host(inputs: Inputs<'_>, name: &ConnectionName) -> Error {
    Error::NoHost {
        name: name.clone(),
        file: format!("`{}`", inputs.config.path.display()),
    }
}

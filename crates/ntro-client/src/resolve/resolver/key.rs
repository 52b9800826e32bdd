//! The key: the environment's, the store's, or the one in the clear; and the origin it is bound to.

use secrecy::ExposeSecret as _;

use super::{Resolver, parse};
use crate::BoundKey;
use crate::resolve::{Connection, Decision, Error, Source, Sourced};
use crate::secrets::{self, Item, StoreKind, Stores};
use ntro_base::env;
use ntro_base::{ApiKey, ConnectionName, Host, KeyPrefix, Origin, Policy};

/// Where the key of a call is.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// Here: the environment has it, or `config.toml` where no store has one for this host.
    Given(Sourced<BoundKey>),
    /// In a store, not yet asked for.
    Stored(StoredKey),
}

/// A key in a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredKey {
    /// The store.
    pub kind: StoreKind,
    /// What the key is stored under there.
    pub item: Item,
    /// Its prefix, if it was written down at login.
    pub prefix: Option<KeyPrefix>,
    /// Whether something says that the key is there, or the default store is merely to be tried.
    pub recorded: bool,
}

impl Resolver<'_> {
    /// Returns the places where the key is looked for, as far as that is known without opening a
    /// store: of a stored key, the prefix that was written down at login.
    ///
    /// # Errors
    ///
    /// As [`Resolver::name`], and when the store that is named is unknown.
    pub fn explain_key(&self) -> Result<Decision, Error> {
        let name = self.name()?;
        let mut decision = Decision::default();
        decision.push(
            Source::Variable(env::NTRO_API_KEY.name),
            self.given_key()?.map(|key| shown(&key.prefix())),
        );
        let Some(Sourced { value: name, .. }) = &name else {
            return Ok(decision);
        };
        let kind = self.store(name)?.value;
        if kind != StoreKind::Plaintext {
            let login = self
                .records
                .get(name.as_str())
                .filter(|login| login.store == kind.as_str() && !self.is_moved(name));
            decision.push(
                Source::Store(kind),
                login.map(|login| shown(&KeyPrefix::recorded(&login.key_prefix))),
            );
        }
        let plain = self.entry(name).api_key.as_ref().map(|key| {
            match key.expose_secret().parse::<ApiKey>() {
                Ok(key) => shown(&key.prefix()),
                Err(error) => format!("({error})"),
            }
        });
        decision.push(self.entry_source(name, "api_key"), plain);
        Ok(decision)
    }

    /// Returns where the key of the call is, without opening a store.
    ///
    /// # Errors
    ///
    /// Fails when the stored key belongs to another origin than the one that is to be called.
    pub fn key(&self) -> Result<KeySource, Error> {
        let host = self.host()?;
        if let Some(key) = self.given_key()? {
            return Ok(KeySource::Given(Sourced {
                value: BoundKey::new(key, host.value.origin()),
                source: Source::Variable(env::NTRO_API_KEY.name),
            }));
        }
        let Some(Sourced { value: name, .. }) = self.name()? else {
            return Err(Error::NoKey {
                connection: None,
                store: None,
            });
        };
        let stored = self.stored_key(&name)?;
        let wanted = host.value.origin();
        if stored.item.origin != wanted {
            if self.is_moved(&name) && self.configured_origin(&name)? == wanted {
                let key = self.plain_key(&name, wanted, stored.kind)?;
                return Ok(KeySource::Given(key));
            }
            return Err(Error::KeyBoundElsewhere {
                connection: name,
                bound: stored.item.origin,
                wanted: host.value.as_str().into(),
                source_of_value: host.source,
            });
        }
        Ok(KeySource::Stored(stored))
    }

    /// Returns where the stored key of a connection lies, whatever the environment says.
    ///
    /// # Errors
    ///
    /// Fails when the connection has no usable host, or an unknown store.
    pub fn stored_key(&self, name: &ConnectionName) -> Result<StoredKey, Error> {
        let entry = self.entry(name);
        let login = self.records.get(name.as_str());
        let kind = self.store(name)?.value;
        let configured = self.configured_origin(name)?;
        let login = login.filter(|login| login.store == kind.as_str());
        // A key in config.toml that is not the one stored at login was put there by somebody
        // else, together with the host beside it.
        let replaced = kind == StoreKind::Plaintext
            && entry.api_key.as_ref().is_some_and(|key| {
                let key = key.expose_secret().parse::<ApiKey>();
                key.is_ok_and(|key| {
                    login.is_some_and(|login| login.key_prefix != key.prefix().as_str())
                })
            });
        let login = login.filter(|_| !replaced);
        let origin = match login {
            Some(login) => parse(&login.origin, &Source::KeyRecord(self.home.logins()))?,
            None => configured,
        };
        Ok(StoredKey {
            kind,
            item: Item::new(name.clone(), origin),
            prefix: login.map(|login| KeyPrefix::recorded(&login.key_prefix)),
            recorded: login.is_some() || entry.store.is_some(),
        })
    }

    /// Returns whether somebody else has logged the connection in to another origin since the last
    /// login here, as the official clients do it: with the key in the clear, beside the host. What
    /// the store has is for the origin of before.
    ///
    /// The official login replaces the whole entry, so of our own keys in it nothing is left. Where
    /// one is there still, the host was edited by hand: a key beside it may be older than that, and
    /// was given for another server. It goes to none until the next login.
    #[must_use]
    pub fn is_moved(&self, name: &ConnectionName) -> bool {
        // Asked first: it is rare, and the rest takes hosts apart.
        let entry = self.entry(name);
        if entry.api_key.is_none() || entry.has_own_keys() {
            return false;
        }
        let (Ok(stored), Ok(configured)) = (self.stored_key(name), self.configured_origin(name))
        else {
            return false;
        };
        stored.kind != StoreKind::Plaintext && stored.item.origin != configured
    }

    /// Returns the store of a connection: the one it names, else the one of the last login, else
    /// `plaintext` where `api_key` is set, else the keyring.
    ///
    /// # Errors
    ///
    /// Fails when the store named is unknown.
    pub fn store(&self, name: &ConnectionName) -> Result<Sourced<StoreKind>, Error> {
        let entry = self.entry(name);
        let (text, source) = if let Some(store) = &entry.store {
            (store.as_str(), self.entry_source(name, "store"))
        } else if let Some(login) = self.records.get(name.as_str()) {
            (login.store.as_str(), Source::KeyRecord(self.home.logins()))
        } else if entry.api_key.is_some() {
            let value = StoreKind::Plaintext;
            return Ok(Sourced {
                value,
                source: self.entry_source(name, "api_key"),
            });
        } else {
            return Ok(Sourced {
                value: StoreKind::Keyring,
                source: Source::Default,
            });
        };
        Ok(Sourced {
            value: parse(text, &source)?,
            source,
        })
    }

    /// Decides everything, and takes the key out of its store.
    ///
    /// # Errors
    ///
    /// Fails when anything cannot be decided, and when the store does not give the key out.
    pub fn connection(&self, stores: &Stores) -> Result<Connection, Error> {
        let key = match self.key()? {
            KeySource::Given(key) => key,
            KeySource::Stored(stored) => self.take(stored, stores)?,
        };
        let name = self.name()?;
        let stored = !matches!(key.source, Source::Variable(_));
        let policy = match &name {
            Some(name) if stored => self.policy(&name.value),
            _ => Policy::Open,
        };
        Ok(Connection {
            name,
            policy,
            provider: self.provider()?,
            host: self.host()?,
            key,
            tenant: self.tenant()?,
        })
    }

    fn take(&self, stored: StoredKey, stores: &Stores) -> Result<Sourced<BoundKey>, Error> {
        let StoredKey {
            kind,
            item,
            recorded,
            ..
        } = stored;
        let found = match stores.get(kind).get(&item) {
            // Nothing says that a key was ever stored: no keyring is then as good as an empty one.
            Err(secrets::Error::Absent { .. }) if !recorded => None,
            answer => answer?,
        };
        if let Some(key) = found {
            return Ok(Sourced {
                value: BoundKey::new(key, item.origin),
                source: Source::Store(kind),
            });
        }
        self.plain_key(&item.connection, item.origin, kind)
    }

    /// Returns the key in the clear, where `store` has none for this origin. It is for the host
    /// that it stands beside, and for no other.
    fn plain_key(
        &self,
        name: &ConnectionName,
        origin: Origin,
        store: StoreKind,
    ) -> Result<Sourced<BoundKey>, Error> {
        let source = self.entry_source(name, "api_key");
        let beside = self.configured_origin(name)? == origin;
        match &self.entry(name).api_key {
            Some(plain) if beside => Ok(Sourced {
                value: BoundKey::new(parse(plain.expose_secret(), &source)?, origin),
                source,
            }),
            _ => Err(Error::NoKey {
                connection: Some(name.clone()),
                store: Some(store),
            }),
        }
    }

    /// Returns the origin of the host that the file gives a connection.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or it is not a base URL.
    pub fn configured_origin(&self, name: &ConnectionName) -> Result<Origin, Error> {
        let source = self.entry_source(name, "host");
        match &self.entry(name).host {
            Some(host) => Ok(parse::<Host>(host, &source)?.origin()),
            None => Err(Error::NoHost {
                name: name.clone(),
                file: format!("`{}`", self.config.path.display()),
            }),
        }
    }
}

fn shown(prefix: &KeyPrefix) -> String {
    format!("{prefix}…")
}

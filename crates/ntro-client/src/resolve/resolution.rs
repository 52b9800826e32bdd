use super::connection_facts::StoredKey;
use super::{
    Connection, Error, Flags, Inputs, Production, Shadow, Source, Sourced, Trace, admin_token,
    decide, shadow,
};
use crate::BoundKey;
use crate::secrets::{self, Stores};
use ntro_base::{ConnectionName, Host, Policy, Provider, TenantSlug};

/// A value, and how it was decided.
#[derive(Clone, Debug)]
pub struct Decided<T> {
    /// The sources in order, strongest first; an error where one of them cannot be read.
    pub trace: Result<Trace, Error>,
    /// The value with its source. `None` where no source has one and none is needed.
    pub outcome: Result<Option<Sourced<T>>, Error>,
}

impl<T> Decided<T> {
    /// A value that depends on another one, which could not be decided.
    pub(super) fn failed(error: &Error) -> Self {
        Self {
            trace: Err(error.clone()),
            outcome: Err(error.clone()),
        }
    }

    /// The value that wins in a trace.
    pub(super) fn of(
        trace: Result<Trace, Error>,
        read: impl FnOnce(Sourced<&str>) -> Result<Sourced<T>, Error>,
    ) -> Self {
        let outcome = match &trace {
            Ok(trace) => trace.chosen().map(read).transpose(),
            Err(error) => Err(error.clone()),
        };
        Self { trace, outcome }
    }

    fn value(&self) -> Result<Option<&Sourced<T>>, Error> {
        match &self.outcome {
            Ok(value) => Ok(value.as_ref()),
            Err(error) => Err(error.clone()),
        }
    }

    /// Returns a value that is never absent without an error.
    pub(super) fn required(&self) -> Result<&Sourced<T>, Error> {
        self.value()?
            .ok_or(Error::NoConnection { known: Vec::new() })
    }
}

/// The place of the key of a call.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// Here: the environment has it, or `config.toml` where no store has one for this host.
    Given(BoundKey),
    /// In a store, which is not open yet.
    Stored(StoredKey),
}

/// Every value of a call, each decided once, without opening a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolution {
    /// The connection; none where the environment alone has host and key.
    pub connection: Decided<ConnectionName>,
    /// The base URL.
    pub host: Decided<Host>,
    /// The system that the host belongs to.
    pub provider: Decided<Provider>,
    /// The place of the key.
    pub key: Decided<KeySource>,
    /// The tenant; none where it is the only one that the key reaches.
    pub tenant: Decided<TenantSlug>,
    /// Whether the key may be revealed.
    pub policy: Decided<Policy>,
    /// That the call is about production; none where it is not.
    pub production: Decided<Production>,
    /// The key in plain text, for where the store has none.
    fallback: Option<Result<Sourced<BoundKey>, Error>>,
    pub(super) shadows: Result<Vec<Shadow>, Error>,
    pub(super) strict: Result<bool, Error>,
    pub(super) admin_token: admin_token::Candidates,
}

impl Inputs<'_> {
    /// Decides every value, each once.
    #[must_use]
    pub fn resolve(&self) -> Resolution {
        let given = decide::given_key(self);
        let connection = self.active();
        let facts = match connection.value() {
            Ok(name) => name.map(|name| self.facts(&name.value)),
            Err(error) => return self.unresolved(connection, &error),
        };
        let facts = facts.as_ref();
        let host = decide::host(self, facts, &given);
        let provider = decide::provider(self, facts, &given);
        let key = decide::key(facts, &host, &provider, &given);
        let tenant = decide::tenant(self, facts);
        Resolution {
            provider,
            policy: decide::policy(self, facts, &given),
            production: decide::production(self, facts, &host),
            fallback: match (facts, key.value()) {
                (Some(facts), Ok(Some(key))) => match &key.value {
                    KeySource::Stored(stored) => Some(facts.plain_key(&stored.item.origin)),
                    KeySource::Given(_) => None,
                },
                _ => None,
            },
            shadows: shadow::find(self, facts, &connection, &host, &tenant),
            strict: shadow::is_strict(self),
            admin_token: admin_token::Candidates::of(self, Ok(facts), &host),
            connection,
            host,
            key,
            tenant,
        }
    }

    fn unresolved(&self, connection: Decided<ConnectionName>, error: &Error) -> Resolution {
        let host = Decided::failed(error);
        Resolution {
            provider: Decided::failed(error),
            key: Decided::failed(error),
            tenant: Decided::failed(error),
            policy: Decided::failed(error),
            production: Decided::failed(error),
            fallback: None,
            shadows: Err(error.clone()),
            strict: shadow::is_strict(self),
            admin_token: admin_token::Candidates::of(self, Err(error.clone()), &host),
            connection,
            host,
        }
    }

    /// Decides the values of one connection by itself: variables and a pin are about the active
    /// one, and do not count.
    #[must_use]
    pub fn alone(&self, name: &ConnectionName) -> Resolution {
        Inputs::of_files(self.config, self.records, self.home).resolve_for(name)
    }

    /// Decides the values of a call to one connection, whichever is the active one.
    #[must_use]
    pub fn resolve_for(&self, name: &ConnectionName) -> Resolution {
        self.with_flags(&Flags::of_connection(name.clone()))
            .resolve()
    }
}

impl Resolution {
    /// Returns the connection that is meant; `None` where the environment alone has host and key.
    pub fn name(&self) -> Result<Option<&Sourced<ConnectionName>>, Error> {
        self.connection.value()
    }

    /// Returns the host that is called.
    pub fn host(&self) -> Result<&Sourced<Host>, Error> {
        self.host.required()
    }

    /// Returns the provider that is called.
    pub fn provider(&self) -> Result<&Sourced<Provider>, Error> {
        self.provider.required()
    }

    /// Returns the tenant that is meant; `None` where it is left to the key.
    pub fn tenant(&self) -> Result<Option<&Sourced<TenantSlug>>, Error> {
        self.tenant.value()
    }

    /// Returns the place of the key.
    pub fn key(&self) -> Result<&Sourced<KeySource>, Error> {
        self.key.required()
    }

    /// Returns what is production about the call, if anything is.
    pub fn production(&self) -> Result<Option<&Production>, Error> {
        Ok(self.production.value()?.map(|found| &found.value))
    }

    /// Returns the policy of the key.
    pub fn policy(&self) -> Result<Policy, Error> {
        Ok(self.policy.required()?.value)
    }

    /// Returns what variables hide of what the user would otherwise get from configuration, stored
    /// login or a pin. A flag is stronger than all of them and meant as it stands, so it hides
    /// nothing.
    pub fn shadows(&self) -> Result<&[Shadow], Error> {
        self.shadows.as_deref().map_err(Clone::clone)
    }

    /// Refuses a shadow where `NTRO_STRICT` demands that.
    pub fn check(&self, shadow: &Shadow) -> Result<(), Error> {
        match self.strict.clone()? {
            false => Ok(()),
            true => Err(Error::Strict {
                variable: shadow.variable,
                over: shadow.over.clone(),
            }),
        }
    }

    /// Returns the connection with its key, out of its store.
    pub fn connection(&self, stores: &Stores) -> Result<Connection, Error> {
        let key = self.key()?;
        let key = match &key.value {
            KeySource::Given(bound) => Sourced {
                value: bound.clone(),
                source: key.source.clone(),
            },
            KeySource::Stored(stored) => self.take(stored, stores)?,
        };
        Ok(Connection {
            name: self.name()?.cloned(),
            policy: self.policy()?,
            provider: self.provider()?.clone(),
            host: self.host()?.clone(),
            key,
            tenant: self.tenant()?.cloned(),
        })
    }

    fn take(&self, stored: &StoredKey, stores: &Stores) -> Result<Sourced<BoundKey>, Error> {
        let found = match stores.get(stored.kind).get(&stored.item) {
            // Nothing says that a key was ever stored: no keyring is as good as an empty one.
            Err(secrets::Error::Absent { .. }) if !stored.recorded => None,
            answer => answer?,
        };
        if let Some(key) = found {
            return Ok(Sourced {
                value: BoundKey::new(key, stored.item.origin.clone()),
                source: Source::Store(stored.kind),
            });
        }
        self.fallback.clone().unwrap_or_else(|| {
            Err(Error::NoKey {
                connection: Some(stored.item.connection.clone()),
                store: Some(stored.kind),
            })
        })
    }
}

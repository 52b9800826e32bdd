//! One function for each row of the precedence table.

mod admin_token;
mod key;
mod safety;
mod shadow;

use secrecy::ExposeSecret as _;

use super::{Candidate, Decision, Error, Source, Sourced};
use crate::config::{Config, ConnectionEntry, KeyRecord, KeyRecords, NtroDir, Pin};
use ntro_base::env::{self, Env, EnvVar};
use ntro_base::{ApiKey, ConnectionName, Host, Provider, TenantSlug};

pub use admin_token::{AdminTokenCommand, AdminTokenSource};
pub use key::{KeySource, StoredKey};
pub use shadow::{ResolvedValue, Shadow};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--connection`.
    pub connection: Option<ConnectionName>,
    /// `--host`.
    pub host: Option<Host>,
    /// `--tenant`.
    pub tenant: Option<TenantSlug>,
    /// Whether the connection is the command's own argument instead.
    pub named_by_argument: bool,
}

impl Flags {
    /// Says which connection is meant, and nothing else.
    #[must_use]
    pub fn of_connection(name: ConnectionName) -> Self {
        Self {
            connection: Some(name),
            named_by_argument: true,
            ..Self::default()
        }
    }

    fn source_of_name(&self) -> Source {
        match self.named_by_argument {
            true => Source::Argument("NAME"),
            false => Source::Flag("--connection"),
        }
    }
}

/// Decides every value from its candidates. One function for each row of the precedence table.
#[derive(Clone, Copy, Debug)]
pub struct Resolver<'a> {
    /// What the command line says.
    pub flags: &'a Flags,
    /// The environment.
    pub env: &'a Env,
    /// The project's pin.
    pub pin: Option<&'a Pin>,
    /// `config.toml`.
    pub config: &'a Config,
    /// `logins.toml`.
    pub records: &'a KeyRecords,
    /// Where the files lie.
    pub home: &'a NtroDir,
}

impl<'a> Resolver<'a> {
    /// Returns a resolver for one connection by itself: what the variables and the pin say of the
    /// active one does not count.
    #[must_use]
    pub fn alone(self, flags: &'a Flags) -> Self {
        static NOTHING: Env = Env::empty();
        Self {
            flags,
            env: &NOTHING,
            pin: None,
            ..self
        }
    }

    /// Returns the places where the connection's name is looked for.
    ///
    /// # Errors
    ///
    /// Fails when a variable is not Unicode.
    pub fn explain_connection(&self) -> Result<Decision, Error> {
        let mut decision = Decision::default();
        decision.push(
            self.flags.source_of_name(),
            self.flags.connection.as_ref().map(ConnectionName::as_str),
        );
        self.variable(&mut decision, &env::NTRO_CONNECTION)?;
        self.variable(&mut decision, &env::NTRO_DEFAULT_CONNECTION_NAME)?;
        self.push_pin(&mut decision, |pin| pin.connection.as_deref());
        let source = match self.config.default_connection_name {
            None if self.config.default_name().is_some() => Source::Default,
            _ => self.config_source("default_connection_name".to_owned()),
        };
        decision.push(source, self.config.default_name());
        Ok(decision)
    }

    /// Returns the connection that is meant, or `None` where the environment alone makes a call
    /// possible: nothing names a connection, and `NTRO_HOST` or `NTRO_API_KEY` is set.
    ///
    /// # Errors
    ///
    /// Fails when the name is unknown, or none is given and none is the default.
    pub fn name(&self) -> Result<Option<Sourced<ConnectionName>>, Error> {
        // Nothing wins over an option, by which lists ask for each of many connections.
        if let Some(name) = &self.flags.connection
            && self.config.connections.contains_key(name.as_str())
        {
            return Ok(Some(Sourced {
                value: name.clone(),
                source: self.flags.source_of_name(),
            }));
        }
        let decision = self.explain_connection()?;
        let known = || self.config.names().map(str::to_owned).collect::<Vec<_>>();
        let Some(Sourced { value, source }) = decision.chosen() else {
            if self.env.is_set(&env::NTRO_HOST)
                || self.env.is_set(&env::NTRO_API_KEY)
                || self.flags.host.is_some()
            {
                return Ok(None);
            }
            return Err(Error::NoConnection { known: known() });
        };
        let name: ConnectionName = parse(value, &source)?;
        if !self.config.connections.contains_key(name.as_str()) {
            return Err(Error::UnknownConnection {
                name: name.to_string(),
                source_of_value: source,
                known: known(),
            });
        }
        Ok(Some(Sourced {
            value: name,
            source,
        }))
    }

    /// Returns the places where the host is looked for.
    ///
    /// # Errors
    ///
    /// As [`Resolver::name`].
    pub fn explain_host(&self) -> Result<Decision, Error> {
        let name = self.name()?;
        let mut decision = Decision::default();
        decision.push(
            Source::Flag("--host"),
            self.flags.host.as_ref().map(Host::as_str),
        );
        self.variable(&mut decision, &env::NTRO_HOST)?;
        match &name {
            Some(name) => decision.push(
                self.entry_source(&name.value, "host"),
                self.entry(&name.value).host.as_deref(),
            ),
            None => decision.push(
                Source::Default,
                Some(self.given_provider()?.production_host()),
            ),
        }
        Ok(decision)
    }

    /// Returns the host that is to be called.
    ///
    /// # Errors
    ///
    /// Fails when there is none or it is not a base URL.
    pub fn host(&self) -> Result<Sourced<Host>, Error> {
        let decision = self.explain_host()?;
        match decision.chosen() {
            Some(Sourced { value, source }) => Ok(Sourced {
                value: parse(value, &source)?,
                source,
            }),
            None => Err(self.no_host()?),
        }
    }

    /// Returns the places that tell the provider.
    ///
    /// # Errors
    ///
    /// As [`Resolver::name`].
    pub fn explain_provider(&self) -> Result<Decision, Error> {
        let name = self.name()?;
        let mut decision = Decision::default();
        let given = self.given_key()?;
        let looks = |key: &ApiKey| key.provider().map(Provider::as_str);
        let Some(Sourced { value: name, .. }) = &name else {
            decision.push(
                Source::Inferred("the look of `NTRO_API_KEY`"),
                given.as_ref().and_then(looks),
            );
            decision.push(Source::Default, Some(Provider::Ntropii.as_str()));
            return Ok(decision);
        };
        let entry = self.entry(name);
        decision.push(
            self.entry_source(name, "provider"),
            entry.provider.as_deref(),
        );
        decision.push(
            Source::KeyRecord(self.home.logins()),
            self.records
                .get(name.as_str())
                .filter(|_| !self.is_moved(name))
                .map(|login| login.provider.as_str()),
        );
        decision.push(
            Source::Inferred("the look of `NTRO_API_KEY`"),
            given.as_ref().and_then(looks),
        );
        let plain = entry
            .api_key
            .as_ref()
            .and_then(|key| Provider::of_key(key.expose_secret()));
        decision.push(
            Source::Inferred("the look of `api_key`"),
            plain.map(Provider::as_str),
        );
        let ontora = entry.host.as_deref().is_some_and(is_ontora);
        decision.push(
            Source::Inferred("the host"),
            ontora.then_some(Provider::Ontora.as_str()),
        );
        decision.push(Source::Default, Some(Provider::Ntropii.as_str()));
        Ok(decision)
    }

    /// Returns the provider that is talked to.
    ///
    /// # Errors
    ///
    /// Fails when the one that is named is unknown.
    pub fn provider(&self) -> Result<Sourced<Provider>, Error> {
        let decision = self.explain_provider()?;
        match decision.chosen() {
            Some(Sourced { value, source }) => Ok(Sourced {
                value: parse(value, &source)?,
                source,
            }),
            None => Ok(Sourced {
                value: Provider::Ntropii,
                source: Source::Default,
            }),
        }
    }

    /// Returns the places where the tenant is looked for. Where none has one, it is the one tenant
    /// that the key reaches; only the server knows that one.
    ///
    /// # Errors
    ///
    /// As [`Resolver::name`].
    pub fn explain_tenant(&self) -> Result<Decision, Error> {
        let name = self.name()?;
        let mut decision = Decision::default();
        decision.push(
            Source::Flag("--tenant"),
            self.flags.tenant.as_ref().map(TenantSlug::as_str),
        );
        self.variable(&mut decision, &env::NTRO_TENANT)?;
        self.push_pin(&mut decision, |pin| pin.tenant.as_deref());
        if let Some(name) = &name {
            decision.push(
                self.entry_source(&name.value, "default_tenant"),
                self.entry(&name.value).default_tenant.as_deref(),
            );
        }
        Ok(decision)
    }

    /// Returns the tenant that is meant, or `None` where it is left to the key.
    ///
    /// # Errors
    ///
    /// Fails when what is given cannot name a tenant.
    pub fn tenant(&self) -> Result<Option<Sourced<TenantSlug>>, Error> {
        let decision = self.explain_tenant()?;
        decision
            .chosen()
            .map(|Sourced { value, source }| {
                Ok(Sourced {
                    value: parse(value, &source)?,
                    source,
                })
            })
            .transpose()
    }

    fn no_host(&self) -> Result<Error, Error> {
        Ok(match self.name()? {
            Some(name) => Error::NoHost {
                name: name.value,
                file: format!("`{}`", self.config.path.display()),
            },
            None => Error::NoConnection { known: Vec::new() },
        })
    }

    fn given_key(&self) -> Result<Option<ApiKey>, Error> {
        let source = Source::Variable(env::NTRO_API_KEY.name);
        let key = self.env.text(&env::NTRO_API_KEY)?;
        key.map(|key| parse(key, &source)).transpose()
    }

    fn given_provider(&self) -> Result<Provider, Error> {
        let key = self.given_key()?;
        Ok(key
            .and_then(|key| key.provider())
            .unwrap_or(Provider::Ntropii))
    }

    /// What the file says of a connection; of an unknown one, nothing.
    fn entry(&self, name: &ConnectionName) -> &ConnectionEntry {
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
        self.config
            .connections
            .get(name.as_str())
            .unwrap_or(&NOTHING)
    }

    fn variable(&self, decision: &mut Decision, variable: &EnvVar) -> Result<(), Error> {
        let name = variable.name;
        decision.candidates.push(Candidate {
            source: Source::Variable(name),
            found: self.env.text(variable)?.map(str::to_owned),
        });
        Ok(())
    }

    fn push_pin(&self, decision: &mut Decision, read: impl Fn(&Pin) -> Option<&str>) {
        match self.pin {
            Some(pin) => decision.push(Source::Pin(pin.path.clone()), read(pin)),
            None => decision.push(Source::NoPin, None::<&str>),
        }
    }

    fn entry_source(&self, name: &ConnectionName, key: &str) -> Source {
        self.config_source(format!("connections.{name}.{key}"))
    }

    fn config_source(&self, key: String) -> Source {
        Source::Config {
            path: self.config.path.clone(),
            key,
        }
    }

    /// Returns the record of the last login of a connection.
    #[must_use]
    pub fn login(&self, name: &ConnectionName) -> Option<&KeyRecord> {
        self.records.get(name.as_str())
    }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: &str,
    source: &Source,
) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| Error::Invalid {
        source_of_value: source.clone(),
        reason: error.to_string(),
    })
}

fn is_ontora(host: &str) -> bool {
    // A host is case-insensitive; what may be one of theirs is then taken apart.
    let bytes = host.as_bytes();
    let like = bytes
        .windows(6)
        .any(|part| part.eq_ignore_ascii_case(b"ontora"));
    like && host
        .parse()
        .is_ok_and(|host| Provider::of_production_host(&host) == Some(Provider::Ontora))
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

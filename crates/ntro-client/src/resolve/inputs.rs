use super::{Source, connection_facts::ConnectionFacts};
use crate::config::{Config, NtroDir, Pin};
use crate::state::KeyRecords;
use ntro_base::env::Env;
use ntro_base::{ConnectionName, Host, TenantSlug};

/// The values of the command line, or those that a program gives instead.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--connection`.
    pub connection: Option<ConnectionName>,
    /// `--host`.
    pub host: Option<Host>,
    /// `--tenant`.
    pub tenant: Option<TenantSlug>,
    /// Who gives them.
    pub given_by: GivenBy,
}

/// Who gives values that no file and no variable holds; messages name the source accordingly.
#[derive(Clone, Copy, Debug, Default)]
pub enum GivenBy {
    /// The global options of the command line.
    #[default]
    Options,
    /// The connection is the argument `NAME` of a command.
    Argument,
    /// A program that uses the SDK.
    Program,
}

impl Flags {
    /// Names a connection, and nothing else.
    #[must_use]
    pub fn of_connection(name: ConnectionName) -> Self {
        Self {
            connection: Some(name),
            given_by: GivenBy::Argument,
            ..Self::default()
        }
    }

    pub(super) fn source_of_name(&self) -> Source {
        match self.given_by {
            GivenBy::Options => Source::Flag("--connection"),
            GivenBy::Argument => Source::Argument("NAME"),
            GivenBy::Program => Source::Flag("Options::connection"),
        }
    }

    pub(super) fn source_of_host(&self) -> Source {
        Source::Flag(match self.given_by {
            GivenBy::Options | GivenBy::Argument => "--host",
            GivenBy::Program => "Options::host",
        })
    }

    pub(super) fn source_of_tenant(&self) -> Source {
        Source::Flag(match self.given_by {
            GivenBy::Options | GivenBy::Argument => "--tenant",
            GivenBy::Program => "Options::tenant",
        })
    }
}

/// Everything that the values of a call are decided from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The command line.
    pub flags: &'a Flags,
    /// The environment.
    pub env: &'a Env,
    /// The project's pin.
    pub pin: Option<&'a Pin>,
    /// `config.toml`.
    pub config: &'a Config,
    /// `logins.toml`.
    pub records: &'a KeyRecords,
    /// The folder of both files.
    pub home: &'a NtroDir,
}

impl<'a> Inputs<'a> {
    /// Returns the inputs without command line, variables and pin: both files alone.
    #[must_use]
    pub fn of_files(config: &'a Config, records: &'a KeyRecords, home: &'a NtroDir) -> Self {
        static NO_FLAGS: Flags = Flags {
            connection: None,
            host: None,
            tenant: None,
            given_by: GivenBy::Options,
        };
        static NO_VARIABLES: Env = Env::empty();
        Self {
            flags: &NO_FLAGS,
            env: &NO_VARIABLES,
            pin: None,
            config,
            records,
            home,
        }
    }

    /// Returns the same inputs with other flags.
    #[must_use]
    pub fn with_flags(self, flags: &'a Flags) -> Self {
        Self { flags, ..self }
    }

    /// Returns what both files say about a connection; of an unknown one, nothing.
    #[must_use]
    pub fn facts(&self, name: &ConnectionName) -> ConnectionFacts<'a> {
        ConnectionFacts::of(*self, name)
    }

    pub(super) fn entry_source(&self, name: &ConnectionName, key: &str) -> Source {
        self.config_source(format!("connections.{name}.{key}"))
    }

    pub(super) fn config_source(&self, key: String) -> Source {
        Source::Config {
            path: self.config.path.clone(),
            key,
        }
    }
}

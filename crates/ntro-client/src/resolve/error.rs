use crate::config;
use crate::secrets::{self, StoreKind};
use ntro_base::env::{NotUnicode, Unexpanded};
use ntro_base::{ConnectionName, Host, Origin, Provider};

use super::Source;

/// Why the values of a call cannot be resolved.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The folder of `ntro` is unknown.
    #[error(transparent)]
    NoHome(#[from] config::NoHome),
    /// A variable is not a number of seconds.
    #[error("the variable `{variable}` is not a number of seconds above 0")]
    NotSeconds {
        /// The variable.
        variable: &'static str,
    },
    /// The time that a variable sets for an unlocked store cannot be used.
    #[error("the variable `{variable}`: {reason}")]
    NotUnlocked {
        /// The variable.
        variable: &'static str,
        /// The problem.
        reason: String,
    },
    /// A variable cannot be used.
    #[error(transparent)]
    Variable(#[from] NotUnicode),
    /// The path of a variable begins with `~`.
    #[error(transparent)]
    Unexpanded(#[from] Unexpanded),
    /// The secret store fails.
    #[error(transparent)]
    Store(#[from] secrets::Error),
    /// A value is invalid.
    #[error("{source_of_value}: {reason}")]
    Invalid {
        /// Where the value came from.
        source_of_value: Source,
        /// The problem with the value.
        reason: String,
    },
    /// No connection is named, and there is no default.
    #[error("no connection is chosen, and there is no default one")]
    NoConnection {
        /// The existing connections.
        known: Vec<String>,
    },
    /// The named connection does not exist.
    #[error("there is no connection `{name}` (named by {source_of_value})")]
    UnknownConnection {
        /// The name.
        name: String,
        /// Where it came from.
        source_of_value: Source,
        /// The existing connections.
        known: Vec<String>,
    },
    /// The connection has no host.
    #[error("the connection `{name}` has no `host` in {file}")]
    NoHost {
        /// The connection.
        name: ConnectionName,
        /// The configuration file, safe to display.
        file: String,
    },
    /// There is no key.
    #[error(
        "there is no API key for {}",
        connection.as_ref().map_or_else(|| "this call".to_owned(), |name| format!("the connection `{name}`"))
    )]
    NoKey {
        /// The connection, if there is one.
        connection: Option<ConnectionName>,
        /// The store that has no key for it.
        store: Option<StoreKind>,
    },
    /// The stored key belongs to another origin than that of the call.
    #[error(
        "the stored API key of `{connection}` belongs to {bound}, not to {} (named by {source_of_value})",
        origin_of(wanted)
    )]
    KeyBoundElsewhere {
        /// The connection.
        connection: ConnectionName,
        /// The origin that the key is bound to.
        bound: Origin,
        /// The host of the call, with its path.
        wanted: Box<str>,
        /// The source of the host.
        source_of_value: Source,
    },
    /// The key belongs to another origin than that of the call.
    #[error("the API key is not for {wanted}")]
    KeyElsewhere {
        /// The origin of the call.
        wanted: Origin,
    },
    /// The key in `NTRO_API_KEY` is of another system than the server that is called.
    #[error(
        "the variable `NTRO_API_KEY` holds a key of `{key}`, but {source_of_value} names `{other}`"
    )]
    KeyOfOtherProvider {
        /// The system that the key looks to be of.
        key: Provider,
        /// The system that is called.
        other: Provider,
        /// The source that names it.
        source_of_value: Source,
    },
    /// The policy `keyless` forbids revealing the key.
    #[error("the policy of `{connection}` is `keyless`: its API key is never revealed")]
    Keyless {
        /// The connection.
        connection: ConnectionName,
    },
    /// The policy `confirm` requires a confirmation, which was refused.
    #[error("the API key of `{connection}` was not revealed")]
    NotConfirmed {
        /// The connection.
        connection: ConnectionName,
    },
    /// There is no source for an administrator's token.
    #[error(
        "there is no admin token for {}",
        connection.as_ref().map_or_else(|| "this call".to_owned(), |name| format!("the connection `{name}`"))
    )]
    NoAdminToken {
        /// The connection, if there is one.
        connection: Option<ConnectionName>,
    },
    /// The command that prints an admin token belongs to another origin than that of the call.
    #[error(
        "the `admin_token_command` of `{connection}` is for {bound}, not for {wanted} (named by {source_of_value})"
    )]
    AdminTokenBoundElsewhere {
        /// The connection.
        connection: ConnectionName,
        /// The origin that the token is bound to.
        bound: Origin,
        /// The origin of the call.
        wanted: Origin,
        /// The source of that origin.
        source_of_value: Source,
    },
    /// A variable overrides a stored value, and `NTRO_STRICT` forbids that.
    #[error("the variable `{variable}` overrides {over}, and `NTRO_STRICT` is set")]
    Strict {
        /// The variable.
        variable: &'static str,
        /// The overridden value.
        over: String,
    },
}

fn origin_of(host: &str) -> String {
    match host.parse::<Host>() {
        Ok(host) => host.origin().to_string(),
        Err(_) => host.to_owned(),
    }
}

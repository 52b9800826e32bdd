use crate::config;
use crate::secrets::{self, StoreKind};
use ntro_base::env::NotUnicode;
use ntro_base::{ConnectionName, Host, Origin};

use super::Source;

/// Why it cannot be decided what a call is to use.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of ours cannot be used.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The folder of `ntro` is not known.
    #[error(transparent)]
    NoHome(#[from] config::NoHome),
    /// A variable should hold a number of seconds.
    #[error("the variable `{variable}` is not a number of seconds above 0")]
    NotSeconds {
        /// The variable.
        variable: &'static str,
    },
    /// A variable cannot be used.
    #[error(transparent)]
    Variable(#[from] NotUnicode),
    /// A secret store does not give the key out.
    #[error(transparent)]
    Store(#[from] secrets::Error),
    /// A value is not what it should be.
    #[error("{source_of_value}: {reason}")]
    Invalid {
        /// Where the value came from.
        source_of_value: Source,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection is named anywhere, and none is the default.
    #[error("no connection is chosen, and there is no default one")]
    NoConnection {
        /// The connections there are.
        known: Vec<String>,
    },
    /// The connection named does not exist.
    #[error("there is no connection `{name}` (named by {source_of_value})")]
    UnknownConnection {
        /// The name.
        name: String,
        /// Where it came from.
        source_of_value: Source,
        /// The connections there are.
        known: Vec<String>,
    },
    /// The connection has no host.
    #[error("the connection `{name}` has no `host` in {file}")]
    NoHost {
        /// The connection.
        name: ConnectionName,
        /// The configuration file, fit to be shown.
        file: String,
    },
    /// Nobody is logged in.
    #[error(
        "there is no API key for {}",
        connection.as_ref().map_or_else(|| "this call".to_owned(), |name| format!("the connection `{name}`"))
    )]
    NoKey {
        /// The connection, where there is one.
        connection: Option<ConnectionName>,
        /// The store that has no key for it.
        store: Option<StoreKind>,
    },
    /// The key belongs to another origin than the one that is to be called.
    #[error(
        "the stored API key of `{connection}` belongs to {bound}, not to {} (named by {source_of_value})",
        origin_of(wanted)
    )]
    KeyBoundElsewhere {
        /// The connection.
        connection: ConnectionName,
        /// Where the key may be sent.
        bound: Origin,
        /// Where it would have been sent: a host, its path included.
        wanted: Box<str>,
        /// What names that origin.
        source_of_value: Source,
    },
    /// The key is for another origin than the one that it would be used at.
    #[error("the API key is not for {wanted}")]
    KeyElsewhere {
        /// Where it would have been used.
        wanted: Origin,
    },
    /// The policy of the connection keeps the key inside `ntro`.
    #[error("the policy of `{connection}` is `keyless`: its API key is handed to nobody")]
    Keyless {
        /// The connection.
        connection: ConnectionName,
    },
    /// The policy of the connection asks a person, and the answer was no.
    #[error("the API key of `{connection}` was not handed over")]
    NotConfirmed {
        /// The connection.
        connection: ConnectionName,
    },
    /// Nothing says where an administrator's token comes from.
    #[error(
        "there is no admin token for {}",
        connection.as_ref().map_or_else(|| "this call".to_owned(), |name| format!("the connection `{name}`"))
    )]
    NoAdminToken {
        /// The connection, where there is one.
        connection: Option<ConnectionName>,
    },
    /// The command that prints an admin token prints it for another origin than the one that is
    /// to be called.
    #[error(
        "the `admin_token_command` of `{connection}` is for {bound}, not for {wanted} (named by {source_of_value})"
    )]
    AdminTokenBoundElsewhere {
        /// The connection.
        connection: ConnectionName,
        /// Where the token may be sent.
        bound: Origin,
        /// Where it would have been sent.
        wanted: Origin,
        /// What names that origin.
        source_of_value: Source,
    },
    /// A variable overrides what would be used without it, and `NTRO_STRICT` forbids that.
    #[error("the variable `{variable}` overrides {over}, and `NTRO_STRICT` is set")]
    Strict {
        /// The variable.
        variable: &'static str,
        /// What it overrides.
        over: String,
    },
}

fn origin_of(host: &str) -> String {
    match host.parse::<Host>() {
        Ok(host) => host.origin().to_string(),
        Err(_) => host.to_owned(),
    }
}

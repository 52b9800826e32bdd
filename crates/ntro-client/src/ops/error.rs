use jiff::Timestamp;

use crate::{config, resolve, secrets};
use ntro_base::disk;
use ntro_base::{ConnectionName, Origin, Provider};

/// Why a change failed. Nothing has changed then, unless the message says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The settings of the connection are unusable.
    #[error(transparent)]
    Connection(Box<resolve::Error>),
    /// A secret store failed.
    #[error(transparent)]
    Store(#[from] secrets::Error),
    /// The connection does not exist.
    #[error("there is no connection `{name}`")]
    UnknownConnection {
        /// The name.
        name: ConnectionName,
        /// The existing connections.
        known: Vec<String>,
    },
    /// The connection has another origin.
    #[error("the connection `{name}` already exists for {existing}, not for {wanted}")]
    OtherOrigin {
        /// The name.
        name: ConnectionName,
        /// Its host, as in the file.
        existing: String,
        /// The origin of the new login.
        wanted: Origin,
    },
    /// The connection is for the other provider.
    #[error("the connection `{name}` already exists for {existing}, and the key is for {wanted}")]
    OtherProvider {
        /// The name.
        name: ConnectionName,
        /// Its provider.
        existing: Provider,
        /// The provider of the new login.
        wanted: Provider,
    },
    /// Another connection has the name.
    #[error("there is already a connection `{name}`")]
    NameTaken {
        /// The name.
        name: ConnectionName,
    },
    /// The connection already has the name.
    #[error("the connection is called `{name}` already")]
    SameName {
        /// The name.
        name: ConnectionName,
    },
    /// A rotation of the connection's key is unfinished.
    #[error("the rotation of the key of `{name}` is not finished{}", lives_on(until.as_ref()))]
    RotationUnfinished {
        /// The name.
        name: ConnectionName,
        /// The time until which its old key is valid, if only that is left.
        until: Option<Timestamp>,
    },
    /// The change failed, and so did undoing its first half.
    #[error("{first}; the key that was stored already could not be taken back: {second}")]
    HalfDone {
        /// Why the change failed.
        first: Box<Error>,
        /// Why undoing it failed.
        second: secrets::Error,
    },
}

fn lives_on(until: Option<&Timestamp>) -> String {
    until.map_or_else(String::new, |until| {
        format!(
            ": its old key lives on until {}",
            until.strftime("%F %T UTC")
        )
    })
}

impl From<resolve::Error> for Error {
    fn from(error: resolve::Error) -> Self {
        Self::Connection(Box::new(error))
    }
}

impl From<disk::Error> for Error {
    fn from(error: disk::Error) -> Self {
        Self::Config(error.into())
    }
}

use jiff::Timestamp;

use crate::{config, resolve, secrets};
use ntro_base::disk;
use ntro_base::{ConnectionName, Origin, Provider};

/// Why a change was not made. Nothing has changed then, unless the message says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of ours cannot be read or written.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// What the files say of the connection cannot be used.
    #[error(transparent)]
    Connection(Box<resolve::Error>),
    /// A secret store did not do its part.
    #[error(transparent)]
    Store(#[from] secrets::Error),
    /// The connection is not there.
    #[error("there is no connection `{name}`")]
    UnknownConnection {
        /// The name.
        name: ConnectionName,
        /// The connections there are.
        known: Vec<String>,
    },
    /// A connection of that name points to another origin.
    #[error("the connection `{name}` already exists for {existing}, not for {wanted}")]
    OtherOrigin {
        /// The name.
        name: ConnectionName,
        /// The host it has, as it stands in the file.
        existing: String,
        /// The origin of the new login.
        wanted: Origin,
    },
    /// A connection of that name is for the other system.
    #[error("the connection `{name}` already exists for {existing}, and the key is for {wanted}")]
    OtherProvider {
        /// The name.
        name: ConnectionName,
        /// The provider it has.
        existing: Provider,
        /// The provider of the new login.
        wanted: Provider,
    },
    /// A connection cannot take a name that another one has.
    #[error("there is already a connection `{name}`")]
    NameTaken {
        /// The name.
        name: ConnectionName,
    },
    /// A connection cannot be renamed to what it is called.
    #[error("the connection is called `{name}` already")]
    SameName {
        /// The name.
        name: ConnectionName,
    },
    /// A rotation of the connection's key is not finished.
    #[error("the rotation of the key of `{name}` is not finished{}", lives_on(until.as_ref()))]
    RotationUnfinished {
        /// The name.
        name: ConnectionName,
        /// Until when its old key lives on, where nothing else is left to be done.
        until: Option<Timestamp>,
    },
    /// The change failed, and so did taking its first half back.
    #[error("{first}; the key that was stored already could not be taken back: {second}")]
    HalfDone {
        /// Why the change failed.
        first: Box<Error>,
        /// Why it could not be undone.
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

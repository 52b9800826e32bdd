use crate::{api, config, resolve, secrets};
use ntro_base::disk;
use ntro_base::{ConnectionName, KeyPrefix};

/// Why a rotation stopped. The connection still works, with the old or the new key, unless the
/// message says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The connection cannot be resolved, or has no key.
    #[error(transparent)]
    Connection(Box<resolve::Error>),
    /// A secret store failed.
    #[error(transparent)]
    Store(#[from] secrets::Error),
    /// A call to the server failed.
    #[error(transparent)]
    Api(Box<api::Error>),
    /// Another process is rotating this key now.
    #[error("another process is rotating the key of `{name}`")]
    Busy {
        /// The connection.
        name: ConnectionName,
    },
    /// The stored key is no longer the one at the start of the rotation.
    #[error("the stored key of `{name}` was changed by another program meanwhile")]
    Changed {
        /// The connection.
        name: ConnectionName,
    },
    /// The stored key is neither key of the unfinished rotation.
    #[error(
        "the rotation of the key of `{name}` is not finished, and neither its old key ({old}…) \
         nor its new one{} is stored", shown(new.as_ref())
    )]
    Stranded {
        /// The connection.
        name: ConnectionName,
        /// The displayable start of the old key.
        old: KeyPrefix,
        /// The displayable start of the new key, if it was created.
        new: Option<KeyPrefix>,
    },
    /// The store accepted the new key and did not return it.
    #[error(
        "the {store} store did not give back the key that it had taken; the old one was put back"
    )]
    NotKept {
        /// The store.
        store: secrets::StoreKind,
    },
    /// The store has neither key, and does not accept one.
    #[error("the {store} store has lost the key of `{name}`, and does not take it back: {second}")]
    Lost {
        /// The connection.
        name: ConnectionName,
        /// The store.
        store: secrets::StoreKind,
        /// Its message.
        second: String,
    },
    /// The new key is already stored.
    #[error("that is the key that is stored already")]
    SameKey,
    /// The new key does not reach all tenants of the old one.
    #[error("the new key does not reach the tenant {missing}, which the old one reaches")]
    OtherTenant {
        /// The missing tenants.
        missing: String,
    },
    /// The new key does not have all scopes of the old one.
    #[error("the new key does not have the scopes {missing}, which the old one has")]
    FewerScopes {
        /// The missing scopes.
        missing: String,
    },
    /// The server's description of the old key is not enough to replace it with an admin token.
    #[error("an administrator cannot replace the key of `{name}`: {reason}")]
    Undescribed {
        /// The connection.
        name: ConnectionName,
        /// The missing part.
        reason: String,
    },
    /// The new key was created, but the response with it was lost.
    #[error("`{origin}` made a new key, but the answer with it was lost")]
    AnswerLost {
        /// The server.
        origin: ntro_base::Origin,
    },
    /// The server rejected the admin token.
    #[error("`{}` rejected the admin token ({refusal})", refusal.origin)]
    TokenRejected {
        /// The server's message.
        refusal: Box<api::Refusal>,
    },
    /// Continuing needs an admin token.
    #[error("an admin token is needed to finish the rotation of the key of `{name}`")]
    AdminNeeded {
        /// The connection.
        name: ConnectionName,
    },
    /// A step failed, and so did undoing the ones before it.
    #[error("{first}; what was made before could not be taken back: {second}")]
    NotRolledBack {
        /// Why the step failed.
        first: Box<Error>,
        /// Why undoing them failed.
        second: Box<Error>,
    },
}

impl Error {
    /// Marks a rejected credential as the admin token.
    pub(super) fn of_admin(self) -> Self {
        match self {
            Self::Api(error) => match *error {
                api::Error::Rejected(refusal) => Self::TokenRejected { refusal },
                error => Self::Api(Box::new(error)),
            },
            error => error,
        }
    }

    /// Returns whether the server cannot create the new key by the method that was tried.
    #[must_use]
    pub fn is_not_offered(&self) -> bool {
        matches!(self, Self::Api(error) if matches!(**error, api::Error::NotOffered { .. }))
    }
}

fn shown(new: Option<&KeyPrefix>) -> String {
    new.map_or_else(String::new, |new| format!(" ({new}…)"))
}

impl From<resolve::Error> for Error {
    fn from(error: resolve::Error) -> Self {
        Self::Connection(Box::new(error))
    }
}

impl From<api::Error> for Error {
    fn from(error: api::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

impl From<disk::Error> for Error {
    fn from(error: disk::Error) -> Self {
        Self::Config(error.into())
    }
}

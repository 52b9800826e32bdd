use crate::{api, config, resolve, secrets};
use ntro_base::disk;
use ntro_base::{ConnectionName, KeyPrefix};

/// Why a rotation did not go on. The connection works as it did before, with the one key or the
/// other, unless the message says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of ours cannot be read or written.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The connection cannot be resolved, or has no key.
    #[error(transparent)]
    Connection(Box<resolve::Error>),
    /// A secret store did not do its part.
    #[error(transparent)]
    Store(#[from] secrets::Error),
    /// The server did not do its part.
    #[error(transparent)]
    Api(Box<api::Error>),
    /// Another process is rotating this key now.
    #[error("another process is rotating the key of `{name}`")]
    Busy {
        /// The connection.
        name: ConnectionName,
    },
    /// The key in the store is no longer the one that was there when the rotation began.
    #[error("the stored key of `{name}` was changed by another program meanwhile")]
    Changed {
        /// The connection.
        name: ConnectionName,
    },
    /// What is stored is neither key of the rotation that is not finished.
    #[error(
        "the rotation of the key of `{name}` is not finished, and neither its old key ({old}…) \
         nor its new one{} is stored", shown(new.as_ref())
    )]
    Stranded {
        /// The connection.
        name: ConnectionName,
        /// The displayable head of the old key.
        old: KeyPrefix,
        /// The displayable head of the new one, if it was made.
        new: Option<KeyPrefix>,
    },
    /// The store took the new key and did not give it back.
    #[error(
        "the {store} store did not give back the key that it had taken; the old one was put back"
    )]
    NotKept {
        /// The store.
        store: secrets::StoreKind,
    },
    /// The store has neither key, and does not take one.
    #[error("the {store} store has lost the key of `{name}`, and does not take it back: {second}")]
    Lost {
        /// The connection.
        name: ConnectionName,
        /// The store.
        store: secrets::StoreKind,
        /// What it said.
        second: String,
    },
    /// The new key is the one that is stored already.
    #[error("that is the key that is stored already")]
    SameKey,
    /// The new key does not reach what the old one reaches.
    #[error("the new key does not reach the tenant {missing}, which the old one reaches")]
    OtherTenant {
        /// The tenants that it does not reach.
        missing: String,
    },
    /// The new key has not all the scopes of the old one.
    #[error("the new key does not have the scopes {missing}, which the old one has")]
    FewerScopes {
        /// The scopes that it does not have.
        missing: String,
    },
    /// The server describes the old key too badly for an administrator to replace it.
    #[error("an administrator cannot replace the key of `{name}`: {reason}")]
    Undescribed {
        /// The connection.
        name: ConnectionName,
        /// What is missing.
        reason: String,
    },
    /// The new key was made, and its secret was lost on the way.
    #[error("`{origin}` made a new key, but the answer with it was lost")]
    AnswerLost {
        /// The server.
        origin: ntro_base::Origin,
    },
    /// The server does not accept the administrator's token.
    #[error("`{}` rejected the admin token ({refusal})", refusal.origin)]
    TokenRejected {
        /// What the server said.
        refusal: Box<api::Refusal>,
    },
    /// An administrator's token is needed to go on.
    #[error("an admin token is needed to finish the rotation of the key of `{name}`")]
    AdminNeeded {
        /// The connection.
        name: ConnectionName,
    },
    /// A step failed, and so did taking back what was made before it.
    #[error("{first}; what was made before could not be taken back: {second}")]
    NotRolledBack {
        /// Why the step failed.
        first: Box<Error>,
        /// Why nothing was taken back.
        second: Box<Error>,
    },
}

impl Error {
    /// Says of which credential a server speaks that rejects an administrator's.
    pub(super) fn of_admin(self) -> Self {
        match self {
            Self::Api(error) => match *error {
                api::Error::Rejected(refusal) => Self::TokenRejected { refusal },
                error => Self::Api(Box::new(error)),
            },
            error => error,
        }
    }

    /// Returns whether the server has no way to make the new key by the method that was tried.
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

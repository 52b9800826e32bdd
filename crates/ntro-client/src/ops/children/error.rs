use crate::{api, config, resolve};
use ntro_base::disk;

/// Why a child key could not be created or revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The folder of `ntro` is unknown, or a setting of calls is invalid.
    #[error(transparent)]
    Connection(Box<resolve::Error>),
    /// A call to the server failed.
    #[error(transparent)]
    Api(Box<api::Error>),
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

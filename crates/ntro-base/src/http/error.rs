use std::error::Error as StdError;
use std::io;

use super::BadProxy;
use crate::disk::describe;

/// Why a URL cannot be called. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The URL's proxy is unusable.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
    /// The certificates of the system cannot be loaded.
    #[error("{0}")]
    Tls(String),
}

/// Returns an error and all its sources, including the error inside an [`io::Error`].
pub fn source_chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match inner {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// Returns the text of an error's last source: the outer ones repeat the URL.
#[must_use]
pub fn root_cause(error: &(dyn StdError + 'static)) -> String {
    match source_chain(error).last() {
        Some(last) => match last.downcast_ref() {
            Some(error) => describe(error),
            None => last.to_string(),
        },
        None => String::new(),
    }
}

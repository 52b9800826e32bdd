//! Authentication of admins: JSON Web Tokens of OpenID Connect issuers, checked against the
//! issuers' key sets.
//!
//! A token passes when one of its issuer's keys has signed it, with an asymmetric algorithm, for
//! the configured audience, and it has not expired. Its claims then name the organisation and the
//! role. The key set of an issuer is fixed, a file, or fetched from a URL; the URL is configured or
//! comes from the issuer's discovery document.

mod claims;
mod discovery;
mod fetch;
mod fetched_keys;
mod header;
mod issuer;
mod jwks;
mod public_key;
mod verifier;

pub(crate) use claims::shown_subject;
pub(crate) use fetch::Fetcher;
pub(crate) use fetched_keys::{FetchedKeySet, KeySetLocation, Pace};
pub(crate) use jwks::count_keys;
pub(crate) use verifier::Verifier;

use crate::store::Role;

/// The admin that a token authenticates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdminIdentity {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// The organisation's id at the issuer.
    pub(crate) organisation: Option<String>,
    pub(crate) role: Role,
}

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The token is invalid. The reason goes to the log, never to the caller.
    Invalid(&'static str),
    /// The issuer's keys are unavailable at the moment.
    Unavailable,
}

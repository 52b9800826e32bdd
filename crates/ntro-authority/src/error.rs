use std::path::PathBuf;

use super::keys::LONGEST_LIFE_IN_DAYS;
use super::store::{StoreError, TenantStatus};
use ntro_base::NameError;
use ntro_base::disk;

/// Why the authority could not be opened, or its registry not be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file beside the database could not be used.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The system's generator gave no random bytes.
    #[error("the system has no random bytes to make a key from")]
    NoRandomness,
    /// The file that should hold the built-in issuer's key holds something else.
    #[error("`{}` does not hold the signing key of the built-in issuer", path.display())]
    IssuerKey {
        /// The file.
        path: PathBuf,
    },
    /// A token could not be made.
    #[error("the admin token could not be made")]
    Token,
    /// A key set is to be fetched unencrypted, or with a password.
    #[error(
        "the key set `{url}` must be fetched by https, or from this machine, and without a password"
    )]
    KeySetUrl {
        /// Its URL, without password and query.
        url: String,
    },
    /// Two settings name one issuer.
    #[error("the issuer `{issuer}` is given twice, or is the name of the built-in one")]
    IssuerTwice {
        /// Its name.
        issuer: String,
    },
    /// No organisation of that name.
    #[error("there is no organisation with the id or external id `{name}`")]
    NoOrganisation {
        /// What was asked for.
        name: String,
    },
    /// No tenant of that name.
    #[error("there is no tenant with the id or slug `{name}`")]
    NoTenant {
        /// What was asked for.
        name: String,
    },
    /// No key of that id.
    #[error("there is no key with the id `{id}`")]
    NoKey {
        /// What was asked for.
        id: String,
    },
    /// The tenant takes no new keys.
    #[error("the tenant `{slug}` is {status}: it takes no new keys")]
    TenantClosed {
        /// The tenant's slug.
        slug: String,
        /// Where it stands.
        status: TenantStatus,
    },
    /// The tenant is taken down.
    #[error("the tenant `{slug}` is {status}: it is neither suspended nor resumed any more")]
    TenantGone {
        /// The tenant's slug.
        slug: String,
        /// Where it stands.
        status: TenantStatus,
    },
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A slug that cannot be one.
    #[error(
        "the slug `{slug}` is not allowed: 1 to 63 lower-case letters, digits and dashes, \
         neither first nor last a dash, and not a UUID"
    )]
    Slug {
        /// The slug.
        slug: String,
    },
    /// A data platform without its configuration.
    #[error("the data platform needs the id of its configuration")]
    PlatformConfigMissing,
    /// An id that cannot be that of a data platform's configuration.
    #[error(transparent)]
    PlatformConfig(NameError),
    /// A configuration for a data platform that takes none.
    #[error("the data platform `managed-postgres` takes no configuration")]
    PlatformConfigForbidden,
    /// Scopes for a provider that has none.
    #[error("keys of Ntropii have no scopes")]
    ScopesUnknown,
    /// No scope for a provider that wants some.
    #[error("a key of Ontora needs at least one scope")]
    ScopesMissing,
    /// Too short or too long a life.
    #[error("a key may live for 1 to {LONGEST_LIFE_IN_DAYS} days, not for {days}")]
    Life {
        /// What was asked for.
        days: u32,
    },
    /// The key may not mint its successor.
    #[error("the key may not rotate itself")]
    RotationOff,
    /// The key is a successor that has yet to end its predecessor.
    #[error("the key has yet to end its predecessor before it can have a successor")]
    RotationPending,
    /// The idempotency key was used with another body.
    #[error("the idempotency key was used for another request")]
    Reused,
    /// The listener failed.
    #[error("the listener failed: {0}")]
    Listener(#[source] std::io::Error),
}

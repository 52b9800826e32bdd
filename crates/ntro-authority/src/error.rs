use std::path::PathBuf;

use crate::registry::LONGEST_LIFE_IN_DAYS;
use crate::store::{Excess, MOST_CHILDREN, MOST_TRIPWIRES, StoreError, TenantStatus};
use crate::transparency::AuditFault;
use ntro_base::NameError;
use ntro_base::disk;

/// An error of the authority or its registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database has failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be used.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The folder of the key material is open to other users, so no secret is written there.
    #[error(
        "other users can open the folder `{}`: restrict it to its owner before secrets are made in it",
        path.display()
    )]
    SharedFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A PostgreSQL database, without the folder of its key material.
    #[error("the key material of a PostgreSQL database has no default folder: name one")]
    NoKeyMaterial,
    /// The system's generator gave no random bytes.
    #[error("the system has no random bytes to make a key from")]
    NoRandomness,
    /// The file of the built-in issuer's signing key has other content.
    #[error("`{}` does not hold the signing key of the built-in issuer", path.display())]
    IssuerKey {
        /// The file.
        path: PathBuf,
    },
    /// The file of the key that signs identity headers has other content.
    #[error("`{}` does not hold the signing key of identity headers", path.display())]
    IdentityKey {
        /// The file.
        path: PathBuf,
    },
    /// The file of the key that signs the audit logs has other content.
    #[error("`{}` does not hold the signing key of the audit logs", path.display())]
    AuditKey {
        /// The file.
        path: PathBuf,
    },
    /// An audit log differs from what was written or signed.
    #[error("the audit log `{log}`: {fault}")]
    AuditLog {
        /// The name of the log.
        log: String,
        /// The first difference.
        fault: AuditFault,
    },
    /// No audit log of that name.
    #[error("there is no audit log `{log}`")]
    NoAuditLog {
        /// The name that was looked up.
        log: String,
    },
    /// No audit event of that id.
    #[error("there is no audit event with the id {id}")]
    NoAuditEvent {
        /// The id that was looked up.
        id: i64,
    },
    /// The line of an event is too long for a bundle of entries.
    #[error("entry {index} of the audit log is too long for a bundle of entries")]
    LongAuditEntry {
        /// The index of the entry.
        index: u64,
    },
    /// A kept checkpoint is not one of this authority.
    #[error("{name} is not a checkpoint of this authority: {why}")]
    KeptCheckpoint {
        /// The name of the checkpoint.
        name: String,
        /// The reason.
        why: String,
    },
    /// A token could not be made.
    #[error("the admin token could not be made")]
    Token,
    /// The URL of a key set is unencrypted, or has a password.
    #[error(
        "the key set `{url}` must be fetched by https, or from this machine, and without a password"
    )]
    KeySetUrl {
        /// Its URL, without password and query.
        url: String,
    },
    /// The URL of the webhook is unencrypted, or has a password.
    #[error("the webhook `{url}` must be an https URL, or one of this machine, without a password")]
    WebhookUrl {
        /// Its URL, without what may be secret.
        url: String,
    },
    /// The secret of the webhook is too short.
    #[error("the secret of the webhook needs at least 16 bytes")]
    WebhookSecret,
    /// An issuer whose key set should be discovered is not a URL for that.
    #[error(
        "the key set of the issuer `{issuer}` cannot be discovered: the issuer must be an https \
         URL, or one of this machine, without user name, password, query and fragment"
    )]
    DiscoveryUrl {
        /// Its name, without what may be secret.
        issuer: String,
    },
    /// An issuer is configured twice.
    #[error("the issuer `{issuer}` is given twice, or is the name of the built-in one")]
    IssuerTwice {
        /// Its name.
        issuer: String,
    },
    /// No organisation of that name.
    #[error("there is no organisation with the id or external id `{name}`")]
    NoOrganisation {
        /// The name that was looked up.
        name: String,
    },
    /// No tenant of that name.
    #[error("there is no tenant with the id or slug `{name}`")]
    NoTenant {
        /// The name that was looked up.
        name: String,
    },
    /// No user of that id.
    #[error("the organisation has no member `{user_id}`, nor a key of such a person")]
    NoMember {
        /// The id that was looked up.
        user_id: String,
    },
    /// No key of that id.
    #[error("there is no key with the id `{id}`")]
    NoKey {
        /// The name that was looked up.
        id: String,
    },
    /// The tenant takes no new keys.
    #[error("the tenant `{slug}` is {status}: it takes no new keys")]
    TenantClosed {
        /// The tenant's slug.
        slug: String,
        /// Its status.
        status: TenantStatus,
    },
    /// The tenant is being removed, or was.
    #[error("the tenant `{slug}` is {status}: it is neither suspended nor resumed any more")]
    TenantGone {
        /// The tenant's slug.
        slug: String,
        /// Its status.
        status: TenantStatus,
    },
    /// An invalid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An invalid slug.
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
    /// An invalid id of a data platform's configuration.
    #[error(transparent)]
    PlatformConfig(NameError),
    /// A configuration for a data platform that takes none.
    #[error("the data platform `managed-postgres` takes no configuration")]
    PlatformConfigForbidden,
    /// Scopes for a provider without scopes.
    #[error("keys of Ntropii have no scopes")]
    ScopesUnknown,
    /// No scope for a provider that needs one.
    #[error("a key of Ontora needs at least one scope")]
    ScopesMissing,
    /// A life outside the limits.
    #[error("a key may live for 1 to {LONGEST_LIFE_IN_DAYS} days, not for {days}")]
    Life {
        /// The name that was looked up.
        days: u32,
    },
    /// The key is revoked, so it is neither paused nor resumed.
    #[error("the key `{id}` is revoked: it is neither paused nor resumed any more")]
    KeyRevoked {
        /// The key.
        id: String,
    },
    /// The key was paused after its verification.
    #[error("the key is paused")]
    KeyPaused,
    /// The key is paused with its parent or predecessor.
    #[error("the key is paused with its parent or its predecessor: resume that one")]
    PausedWithAnother,
    /// The key may not create a successor.
    #[error("the key may not rotate itself")]
    RotationOff,
    /// The key is not pending, or its predecessor is revoked.
    #[error("the key has no predecessor any more")]
    NoPredecessor,
    /// The predecessor was used too recently.
    #[error("the predecessor of the key is still in use")]
    PredecessorInUse,
    /// The key is itself a pending successor.
    #[error("the key has yet to end its predecessor before it can have a successor")]
    RotationPending,
    /// The environment is that of a proxy's tokens.
    #[error("no key has the environment `px`: it marks the one-off tokens of a proxy")]
    ReservedEnvironment,
    /// The key is a child, and may not do this.
    #[error("a child key can revoke itself, and change nothing else")]
    ChildKey,
    /// A child would have more than its parent.
    #[error("a child key cannot have more than its parent: {0}")]
    ExceedsParent(Excess),
    /// The key has too many live children.
    #[error(
        "the key has {MOST_CHILDREN} live child keys: revoke some of them, or wait until they expire"
    )]
    TooManyChildren,
    /// The key has too many live tripwires.
    #[error("the key has {MOST_TRIPWIRES} live tripwires: wait until some of them expire")]
    TooManyTripwires,
    /// Another key has set the tripwire.
    #[error("another key has set this tripwire")]
    TripwireTaken,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    Reused,
    /// The listener failed.
    #[error("the listener failed: {0}")]
    Listener(#[source] std::io::Error),
}

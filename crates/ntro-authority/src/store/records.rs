//! The records of the registry, and the outcomes of changing them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::LastUse;
use ntro_base::{KeyName, KeyPrefix, Provider, Scope};

/// A name outside a closed set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{name}`: expected {expected}")]
pub struct UnknownName {
    /// "tenant status", …
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// The known names.
    pub expected: &'static str,
}

macro_rules! closed {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the name used on the wire and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| UnknownName {
                        what: $what,
                        name: text.chars().take(64).collect(),
                        expected: closed!(@list $($text),+),
                    })
            }
        }
    };
    (@list $first:literal $(, $rest:literal)*) => {
        concat!("`", $first, "`" $(, ", `", $rest, "`")*)
    };
}

closed! {
    /// The state of a tenant. Keys of a tenant are accepted only while it is `ACTIVE`.
    TenantStatus, "tenant status", {
        /// Requested.
        Requested = "REQUESTED",
        /// Being set up.
        Provisioning = "PROVISIONING",
        /// In use.
        Active = "ACTIVE",
        /// Closed for now.
        Suspended = "SUSPENDED",
        /// Being taken down.
        Deprovisioning = "DEPROVISIONING",
        /// Could not be set up.
        Failed = "FAILED",
        /// Gone.
        Decommissioned = "DECOMMISSIONED",
    }
}

impl TenantStatus {
    /// Returns whether a tenant in this state is never active again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Deprovisioning | Self::Decommissioned)
    }
}

closed! {
    /// The platform of a tenant's data.
    DataPlatform, "data platform", {
        /// A PostgreSQL that the vendor runs.
        ManagedPostgres = "managed-postgres",
        /// Snowflake.
        Snowflake = "snowflake",
        /// Microsoft Fabric.
        MicrosoftFabric = "microsoft-fabric",
    }
}

closed! {
    /// The rights of a user in an organisation.
    Role, "role", {
        /// Manages keys and tenants.
        Admin = "admin",
        /// Reads only.
        Member = "member",
    }
}

/// An organisation, which owns tenants. Never an authorisation boundary for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationRecord {
    /// Its id in the registry.
    pub id: Uuid,
    /// Its display name.
    pub name: String,
    /// Its id at the issuer of its admins' tokens.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A user recorded in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// The `sub` of the user's tokens.
    pub user_id: String,
    /// The role when last seen.
    pub role: Role,
    /// When first seen.
    pub created_at: Timestamp,
}

/// A tenant, which keys belong to: Ntropii's tenant and Ontora's workspace in one.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantRecord {
    /// Its id.
    pub id: Uuid,
    /// The organisation that owns it.
    pub organisation_id: Uuid,
    /// Its URL-safe name.
    pub slug: String,
    /// Its display name.
    pub name: String,
    /// The platform of its data.
    pub data_platform: DataPlatform,
    /// The id of the platform's configuration.
    pub data_platform_config_id: Option<String>,
    /// Its state.
    pub status: TenantStatus,
    /// Free settings.
    pub config: Option<Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The keyed hash of a key. The key itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub(crate) [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// The record of a key, without the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// Its id.
    pub id: Uuid,
    /// The tenant that it belongs to.
    pub tenant_id: Uuid,
    /// The system whose clients use it.
    pub provider: Provider,
    /// Its display name.
    pub name: KeyName,
    /// Its first characters, which may be shown.
    pub prefix: KeyPrefix,
    /// Its keyed hash.
    pub hash: KeyHash,
    /// Its scopes; empty for Ntropii, which has none.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it, as lists show it.
    pub created_by: Option<String>,
    /// The `sub` of the person whose key it is, and of every key that it leads to.
    pub owner: Option<String>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the second.
    pub last_used_at: Option<Timestamp>,
    /// The address that it was last used from, if the server knew it.
    pub last_used_address: Option<IpAddr>,
    /// The `User-Agent` of that request.
    pub last_used_agent: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was paused; `None` while it is not.
    pub paused_at: Option<Timestamp>,
    /// Whether it may create its own successor.
    pub may_rotate: bool,
    /// The key that created it, if one did.
    pub predecessor: Option<Uuid>,
    /// Whether its predecessor is not replaced yet: until then both are revoked together.
    pub is_pending: bool,
    /// The key whose child it is, if it is one. A child ends with its parent.
    pub parent: Option<Uuid>,
    /// When one of its tripwires was last presented.
    pub tripped_at: Option<Timestamp>,
}

impl ApiKeyRecord {
    /// Sets the last use.
    pub(crate) fn used(&mut self, last: LastUse) {
        self.last_used_at = Some(last.at);
        self.last_used_address = last.address;
        self.last_used_agent = last.agent;
    }

    /// Returns what a child of this key would have more than the key itself.
    pub(crate) fn excess_of(&self, child: &Self) -> Option<Excess> {
        let mut scopes = child.scopes.iter();
        if let Some(scope) = scopes.find(|one| !one.is_granted_by(&self.scopes)) {
            return Some(Excess::Scope(*scope));
        }
        match (self.expires_at, child.expires_at) {
            (Some(end), Some(childs)) if childs <= end => None,
            (Some(end), _) => Some(Excess::Life(end)),
            (None, _) => None,
        }
    }
}

/// The rights that a child key would have beyond its parent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// A scope.
    Scope(Scope),
    /// A life beyond the parent's, which ends at this time.
    Life(Timestamp),
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => write!(f, "it lacks the scope `{scope}`"),
            Self::Life(end) => write!(f, "it expires at {end}"),
        }
    }
}

/// The SHA-256 of a one-off token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// The hash of a one-off token that must not be presented to the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TripwireRecord {
    pub(crate) hash: TokenHash,
    /// The key that set it, and gets the warning.
    pub(crate) key: Uuid,
    pub(crate) expires_at: Timestamp,
}

/// Presentations of the token of a tripwire.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    pub(crate) hash: TokenHash,
    /// The part of the token that may be shown.
    pub(crate) prefix: String,
    /// Where the last one came from.
    pub(crate) source: Option<IpAddr>,
    /// How many there were since the last record.
    pub(crate) times: u32,
}

/// A request that makes one key, however often it is sent.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyRecord {
    /// Hash of the caller, the endpoint and the idempotency key.
    pub(crate) request: [u8; 32],
    /// Hash of the request's body.
    pub(crate) body: [u8; 32],
    /// Records older than this are deleted.
    pub(crate) forget_before: Timestamp,
}

/// The answer to a request that changes something once, however often it is sent.
#[derive(Clone, Debug)]
pub(crate) struct ResponseRecord {
    pub(crate) once: IdempotencyRecord,
    /// Its body, without a key.
    pub(crate) response: String,
}

/// The outcome of such a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OnceOutcome<T> {
    /// The request is new, with this outcome.
    New(T),
    /// The same request was answered before, with this body.
    Replayed(String),
    /// Another request has used the same idempotency key.
    Conflict,
}

/// The outcome of a request for a key.
#[derive(Debug)]
pub(crate) enum CreateKeyOutcome {
    /// The key was created.
    New,
    /// The same request has created this key before.
    Replayed(Box<ApiKeyRecord>),
    /// Another request has used the same idempotency key.
    Conflict,
}

/// The outcome of a key's request for its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SuccessorOutcome {
    /// The successor was created; an earlier pending one was revoked.
    New,
    /// The key is revoked, or does not exist.
    Gone,
    /// The key may not create a successor.
    Forbidden,
    /// The key is paused.
    Paused,
    /// The key is itself a pending successor.
    Pending,
    /// The same request was seen before, or was cancelled before it arrived.
    Repeated,
}

/// The live predecessor of a pending key.
#[derive(Clone, Debug)]
pub(crate) struct Predecessor {
    pub(crate) key: ApiKeyRecord,
    /// When it or one of its children was last used, as far as that is recorded.
    pub(crate) last_used_at: Option<Timestamp>,
    /// After how many seconds without a use it ends, if its successor has asked for that.
    pub(crate) quiet_seconds: Option<u32>,
}

/// A warning of a key that expires soon.
#[derive(Clone, Debug)]
pub(crate) struct ExpiryWarning {
    pub(crate) key: ApiKeyRecord,
    /// The slug of its tenant.
    pub(crate) tenant: String,
    /// It expires within this many days.
    pub(crate) days: u32,
}

/// The outcome of a request to end the predecessor of a key if it is unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuietOutcome {
    /// It was revoked, now or before.
    Ended,
    /// It was used since, and stays.
    InUse,
    /// The key itself is revoked or paused, or does not exist.
    Gone,
}

/// The outcome of a key's request for a child.
#[derive(Debug)]
pub(crate) enum ChildOutcome {
    /// The child was created.
    New,
    /// The same request has created this child before.
    Replayed(Box<ApiKeyRecord>),
    /// Another request has used the same idempotency key, or the request was cancelled before it
    /// arrived.
    Conflict,
    /// The key is revoked, or does not exist.
    Gone,
    /// The key is paused.
    Paused,
    /// The key is itself a child.
    OfChild,
    /// The child would have more than its parent.
    Exceeds(Excess),
    /// The key has as many live children as it may have.
    TooMany,
}

/// The outcome of a key's request for a tripwire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TripwireOutcome {
    /// The tripwire is set.
    Set,
    /// The key is revoked, or does not exist.
    Gone,
    /// The key is a child.
    OfChild,
    /// The key has as many live tripwires as it may have.
    TooMany,
    /// Another key has set the same tripwire.
    Taken,
}

/// Which tenants to list; `None` is any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TenantFilter {
    pub(crate) organisation: Option<Uuid>,
    pub(crate) status: Option<TenantStatus>,
    /// Only those behind this one in the order of the list.
    pub(crate) after: Option<Uuid>,
    pub(crate) limit: Option<u32>,
}

/// Which keys to list; `None` is any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyFilter {
    pub(crate) tenant: Option<Uuid>,
    pub(crate) provider: Option<Provider>,
    /// Only those behind this one in the order of the list.
    pub(crate) after: Option<Uuid>,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}

/// Whose keys to revoke.
#[derive(Clone, Debug)]
pub(crate) struct KeyOwner {
    /// The `sub` of the person's tokens.
    pub(crate) user_id: String,
    pub(crate) organisation: Uuid,
    /// Only the keys of this tenant of the organisation; `None` is all of them.
    pub(crate) tenant: Option<Uuid>,
}

/// A change that verification must know.
#[derive(Debug)]
pub(crate) enum RegistryChange {
    /// A tenant is new, has another status, or it or its organisation has another name; with the
    /// name of its organisation. Comes before the keys of the tenant.
    Tenant(Box<TenantRecord>, String),
    /// A key is new, was revoked, paused or resumed, has a tripwire that was presented, or belongs to a tenant with
    /// another name.
    Key(Box<ApiKeyRecord>),
    /// A tripwire is new, or has another expiry or key.
    Tripwire(TripwireRecord),
}

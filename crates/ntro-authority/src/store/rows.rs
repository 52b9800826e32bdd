//! What the registry hold.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use ntro_base::{KeyName, KeyPrefix, Provider, Scope};

/// A name that is none of a closed set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{name}`: expected {expected}")]
pub struct UnknownName {
    /// "tenant status", …
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// The known ones.
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
    /// Where a tenant stands. Keys of a tenant are accepted while it is `ACTIVE` only.
    TenantStatus, "tenant status", {
        /// Asked for.
        Requested = "REQUESTED",
        /// Being made.
        Provisioning = "PROVISIONING",
        /// In use.
        Active = "ACTIVE",
        /// Closed for a while.
        Suspended = "SUSPENDED",
        /// Being taken down.
        Deprovisioning = "DEPROVISIONING",
        /// Could not be made.
        Failed = "FAILED",
        /// Gone.
        Decommissioned = "DECOMMISSIONED",
    }
}

impl TenantStatus {
    /// Returns whether a tenant that stands like this is on its way out, or gone: it is in use
    /// never again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Deprovisioning | Self::Decommissioned)
    }
}

closed! {
    /// What a tenant's data lies on.
    DataPlatform, "data platform", {
        /// A PostgreSQL of the vendor's.
        ManagedPostgres = "managed-postgres",
        /// Snowflake.
        Snowflake = "snowflake",
        /// Microsoft Fabric.
        MicrosoftFabric = "microsoft-fabric",
    }
}

closed! {
    /// What a person may do in an organisation.
    Role, "role", {
        /// Manages keys and tenants.
        Admin = "admin",
        /// Looks.
        Member = "member",
    }
}

/// Owns tenants. Never an authorisation boundary for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id here.
    pub id: Uuid,
    /// Its display name.
    pub name: String,
    /// Its id at the issuer of its admins' tokens.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A person seen in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The `sub` of the person's tokens.
    pub user_id: String,
    /// The role when last seen.
    pub role: Role,
    /// When first seen.
    pub created_at: Timestamp,
}

/// What keys belong to: Ntropii's tenant and Ontora's workspace in one.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Its id.
    pub id: Uuid,
    /// The organisation that owns it.
    pub organisation_id: Uuid,
    /// Its URL-safe name.
    pub slug: String,
    /// Its display name.
    pub name: String,
    /// What its data lies on.
    pub data_platform: DataPlatform,
    /// How that is reached.
    pub data_platform_config_id: Option<String>,
    /// Where it stands.
    pub status: TenantStatus,
    /// Free settings.
    pub config: Option<Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The keyed hash of a key: all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub(crate) [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// A key, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: Uuid,
    /// The tenant that it belongs to.
    pub tenant_id: Uuid,
    /// Whose dialect it speaks.
    pub provider: Provider,
    /// Its display name.
    pub name: KeyName,
    /// Its displayable head.
    pub prefix: KeyPrefix,
    /// Its keyed hash.
    pub hash: KeyHash,
    /// What it may do; empty for Ntropii, which has no scopes.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: Option<String>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, give or take a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Whether it may mint its own successor.
    pub may_rotate: bool,
    /// The key that minted it, if one did.
    pub predecessor: Option<Uuid>,
    /// Whether it has yet to end its predecessor: until then it is revoked with it.
    pub is_pending: bool,
}

/// A request that must make one key however often it is sent.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyRecord {
    /// Hash of who asks for what under which idempotency key.
    pub(crate) request: [u8; 32],
    /// Hash of what is asked.
    pub(crate) body: [u8; 32],
    /// Records of requests older than this are forgotten.
    pub(crate) forget_before: Timestamp,
}

/// What became of a request to make a key.
#[derive(Debug)]
pub(crate) enum Created {
    /// The key is in the registry.
    New,
    /// The same request has made this key before.
    Replayed(Box<Key>),
    /// Another request has used the same idempotency key.
    Conflict,
}

/// What became of a key's request for its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SuccessorOutcome {
    /// The successor is in the registry; one that was pending before is revoked.
    New,
    /// The key is revoked, or was never there.
    Gone,
    /// The key may not mint its successor.
    Forbidden,
    /// The key is itself a successor that has yet to end its predecessor.
    Pending,
    /// The same request was seen before, or taken back before it was seen.
    Repeated,
}

/// Which tenants to list; `None` is any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TenantFilter {
    pub(crate) organisation: Option<Uuid>,
    pub(crate) status: Option<TenantStatus>,
}

/// Which keys to list; `None` is any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyFilter {
    pub(crate) tenant: Option<Uuid>,
    pub(crate) provider: Option<Provider>,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}

/// What those who verify keys must know.
#[derive(Debug)]
pub(crate) enum Change {
    /// A tenant is new or has another status. Comes before the keys of the tenant.
    Tenant(Box<Tenant>),
    /// A key is new, or was revoked.
    Key(Box<Key>),
}

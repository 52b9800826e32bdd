//! Makes keys. Nothing is written yet.

use aws_lc_rs::rand;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::error::Error;
use crate::store::{ApiKeyRecord, KeyHash};
use crate::verify::Hasher;
use ntro_base::{ApiKey, IssuedKey, KeyEnvironment, KeyName, KeyPrefix, Provider, Scope};

/// The most days to the expiry of a key that expires.
pub const LONGEST_LIFE_IN_DAYS: u32 = 365;

/// A key to create.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// The system whose clients use it.
    pub provider: Provider,
    /// The environment in its text; the provider's production one when `None`.
    pub environment: Option<KeyEnvironment>,
    /// Its display name.
    pub name: KeyName,
    /// Its scopes; empty for Ntropii, not empty for Ontora.
    pub scopes: Vec<Scope>,
    /// 1 to [`LONGEST_LIFE_IN_DAYS`]; `None` never expires.
    pub expires_in_days: Option<u32>,
    /// Who creates it, as lists show it.
    pub created_by: Option<String>,
    /// The `sub` of the person whose key it is.
    pub owner: Option<String>,
    /// Whether it may create its own successor.
    pub may_rotate: bool,
}

/// A child key to create.
#[derive(Clone, Debug)]
pub(crate) struct NewChild {
    /// Its display name; that of its parent when `None`.
    pub(crate) name: Option<KeyName>,
    /// Its scopes; those of its parent when `None`.
    pub(crate) scopes: Option<Vec<Scope>>,
    /// How long it lives.
    pub(crate) life: SignedDuration,
}

/// A new key, and its record.
#[derive(Clone, Debug)]
pub struct MintedKey {
    /// The key, to be shown once.
    pub key: ApiKey,
    /// The record, without the key.
    pub record: ApiKeyRecord,
}

/// Makes a key for a tenant.
pub(crate) fn mint(
    hasher: &Hasher,
    tenant_id: Uuid,
    new: NewApiKey,
    now: Timestamp,
) -> Result<MintedKey, Error> {
    let NewApiKey {
        provider,
        environment,
        name,
        mut scopes,
        expires_in_days,
        created_by,
        owner,
        may_rotate,
    } = new;
    let environment = environment.unwrap_or_else(|| KeyEnvironment::production(provider));
    if environment == KeyEnvironment::one_off() {
        return Err(Error::ReservedEnvironment);
    }
    match provider {
        Provider::Ntropii if !scopes.is_empty() => return Err(Error::ScopesUnknown),
        Provider::Ontora if scopes.is_empty() => return Err(Error::ScopesMissing),
        _ => {}
    }
    scopes.sort_unstable();
    scopes.dedup();
    let expires_at = match expires_in_days {
        None => None,
        Some(days @ 1..=LONGEST_LIFE_IN_DAYS) => {
            Some(now + SignedDuration::from_hours(i64::from(days) * 24))
        }
        Some(days) => return Err(Error::Life { days }),
    };
    issue(hasher, provider, &environment, |prefix, hash| {
        ApiKeyRecord {
            id: Uuid::new_v4(),
            tenant_id,
            provider,
            name,
            prefix,
            hash,
            scopes,
            created_at: now,
            created_by,
            owner,
            expires_at,
            last_used_at: None,
            last_used_address: None,
            last_used_agent: None,
            revoked_at: None,
            may_rotate,
            predecessor: None,
            is_pending: false,
            parent: None,
            tripped_at: None,
            paused_at: None,
        }
    })
}

/// Makes a child of a key. The store decides whether the key may have it.
pub(super) fn mint_child(
    hasher: &Hasher,
    parent: &ApiKeyRecord,
    new: NewChild,
    now: Timestamp,
) -> Result<MintedKey, Error> {
    let mut scopes = match (parent.provider, new.scopes) {
        (Provider::Ntropii, Some(_)) => return Err(Error::ScopesUnknown),
        (_, scopes) => scopes.unwrap_or_else(|| parent.scopes.clone()),
    };
    scopes.sort_unstable();
    scopes.dedup();
    let environment = KeyEnvironment::of_prefix(&parent.prefix)
        .unwrap_or_else(|| KeyEnvironment::production(parent.provider));
    issue(hasher, parent.provider, &environment, |prefix, hash| {
        ApiKeyRecord {
            id: Uuid::new_v4(),
            name: new.name.unwrap_or_else(|| parent.name.clone()),
            prefix,
            hash,
            scopes,
            created_at: now,
            created_by: Some(format!("key {}", parent.id)),
            expires_at: Some(now + new.life),
            last_used_at: None,
            last_used_address: None,
            last_used_agent: None,
            revoked_at: None,
            may_rotate: false,
            predecessor: None,
            is_pending: false,
            parent: Some(parent.id),
            tripped_at: None,
            paused_at: None,
            ..parent.clone()
        }
    })
}

/// Makes the successor of a key, with the same properties. Its life is as long, counted from now,
/// and at most the longest life that the policy of its tenant allows, or [`LONGEST_LIFE_IN_DAYS`].
pub(super) fn mint_successor(
    hasher: &Hasher,
    predecessor: &ApiKeyRecord,
    policy: Option<SignedDuration>,
    now: Timestamp,
) -> Result<MintedKey, Error> {
    let environment = KeyEnvironment::of_prefix(&predecessor.prefix)
        .unwrap_or_else(|| KeyEnvironment::production(predecessor.provider));
    let longest = SignedDuration::from_hours(i64::from(LONGEST_LIFE_IN_DAYS) * 24);
    let life = predecessor
        .expires_at
        .map(|at| at.duration_since(predecessor.created_at).min(longest));
    let life = match (life, policy) {
        (Some(life), Some(policy)) => Some(life.min(policy)),
        (life, policy) => life.or(policy),
    };
    issue(
        hasher,
        predecessor.provider,
        &environment,
        |prefix, hash| ApiKeyRecord {
            id: Uuid::new_v4(),
            prefix,
            hash,
            created_at: now,
            created_by: Some(format!("key {}", predecessor.name)),
            expires_at: life.map(|life| now + life),
            last_used_at: None,
            last_used_address: None,
            last_used_agent: None,
            revoked_at: None,
            predecessor: Some(predecessor.id),
            is_pending: true,
            tripped_at: None,
            paused_at: None,
            ..predecessor.clone()
        },
    )
}

fn issue(
    hasher: &Hasher,
    provider: Provider,
    environment: &KeyEnvironment,
    record: impl FnOnce(KeyPrefix, KeyHash) -> ApiKeyRecord,
) -> Result<MintedKey, Error> {
    let issued = IssuedKey::generate(provider, environment, rand::fill)
        .map_err(|_: aws_lc_rs::error::Unspecified| Error::NoRandomness)?;
    let record = record(issued.key.prefix(), hasher.hash(issued.key.expose()));
    Ok(MintedKey {
        key: issued.key,
        record,
    })
}

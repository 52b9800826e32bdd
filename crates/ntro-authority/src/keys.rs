//! How keys are made and hashed.
//!
//! A key has 256 random bits, so a fast keyed hash is all it needs: nobody guesses it, and
//! whoever steals the database alone can verify no guess at all without the pepper.

use aws_lc_rs::{hmac, rand};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::error::Error;
use super::files::DatabaseFiles;
use super::store::{Key, KeyHash, StoreError};
use ntro_base::{ApiKey, IssuedKey, KeyEnvironment, KeyName, KeyPrefix, Provider, Scope};

/// As long as the hash.
const PEPPER_LENGTH: usize = 32;
/// Hashed and written into the database, so that a wrong pepper is noticed at the start.
const PEPPER_CHECK: &[u8] = b"ntro authority pepper check";

/// The most days that a key may live, other than for ever.
pub const LONGEST_LIFE_IN_DAYS: u32 = 365;

/// Hashes keys with the authority's pepper.
#[derive(Clone)]
pub(super) struct Hasher(hmac::Key);

impl Hasher {
    /// Reads the pepper, making one if the database has none yet, and proves that it is the one
    /// that `check`, read from the database, was made with. Returns what is to be written there.
    pub(super) fn open(
        files: &DatabaseFiles,
        check: Option<[u8; 32]>,
    ) -> Result<(Self, [u8; 32]), Error> {
        let path = files.pepper();
        let pepper = match files.read(&path)? {
            Some(pepper) => pepper,
            None if check.is_some() => return Err(StoreError::NoPepper { path }.into()),
            None => {
                let mut made = Zeroizing::new(vec![0; PEPPER_LENGTH]);
                rand::fill(&mut made).map_err(|_| Error::NoRandomness)?;
                files.keep(&path, made)?
            }
        };
        let hasher = Self(hmac::Key::new(hmac::HMAC_SHA256, &pepper));
        let own = hasher.digest(PEPPER_CHECK);
        if pepper.len() < PEPPER_LENGTH || check.is_some_and(|check| check != own) {
            return Err(StoreError::WrongPepper { path }.into());
        }
        Ok((hasher, own))
    }

    /// Hashes a key.
    pub(super) fn hash(&self, key: &str) -> KeyHash {
        KeyHash(self.digest(key.as_bytes()))
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        digest
    }
}

/// What a key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose dialect it speaks.
    pub provider: Provider,
    /// The environment named in it; the provider's production one when `None`.
    pub environment: Option<KeyEnvironment>,
    /// Its display name.
    pub name: KeyName,
    /// What it may do; empty for Ntropii, not empty for Ontora.
    pub scopes: Vec<Scope>,
    /// 1 to [`LONGEST_LIFE_IN_DAYS`]; `None` is for ever.
    pub expires_in_days: Option<u32>,
    /// Who makes it.
    pub created_by: Option<String>,
    /// Whether it may mint its own successor.
    pub may_rotate: bool,
}

/// A key fresh from the mint, and what the registry say of it.
#[derive(Clone, Debug)]
pub struct MintedKey {
    /// The key, to be shown once.
    pub key: ApiKey,
    /// What is kept.
    pub record: Key,
}

/// Makes a key for a tenant. Nothing is written yet.
pub(super) fn mint(
    hasher: &Hasher,
    tenant_id: Uuid,
    new: NewKey,
    now: Timestamp,
) -> Result<MintedKey, Error> {
    let NewKey {
        provider,
        environment,
        name,
        mut scopes,
        expires_in_days,
        created_by,
        may_rotate,
    } = new;
    let environment = environment.unwrap_or_else(|| KeyEnvironment::production(provider));
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
    issue(hasher, provider, &environment, |prefix, hash| Key {
        id: Uuid::new_v4(),
        tenant_id,
        provider,
        name,
        prefix,
        hash,
        scopes,
        created_at: now,
        created_by,
        expires_at,
        last_used_at: None,
        revoked_at: None,
        may_rotate,
        predecessor: None,
        is_pending: false,
    })
}

/// Makes the successor of a key: the same in everything, its life as long and counted anew, and
/// never more. Nothing is written yet.
pub(super) fn mint_successor(
    hasher: &Hasher,
    predecessor: &Key,
    now: Timestamp,
) -> Result<MintedKey, Error> {
    let environment = KeyEnvironment::of_prefix(&predecessor.prefix)
        .unwrap_or_else(|| KeyEnvironment::production(predecessor.provider));
    let longest = SignedDuration::from_hours(i64::from(LONGEST_LIFE_IN_DAYS) * 24);
    let life = predecessor
        .expires_at
        .map(|at| at.duration_since(predecessor.created_at).min(longest));
    issue(
        hasher,
        predecessor.provider,
        &environment,
        |prefix, hash| Key {
            id: Uuid::new_v4(),
            prefix,
            hash,
            created_at: now,
            created_by: Some(format!("key {}", predecessor.id)),
            expires_at: life.map(|life| now + life),
            last_used_at: None,
            revoked_at: None,
            predecessor: Some(predecessor.id),
            is_pending: true,
            ..predecessor.clone()
        },
    )
}

fn issue(
    hasher: &Hasher,
    provider: Provider,
    environment: &KeyEnvironment,
    record: impl FnOnce(KeyPrefix, KeyHash) -> Key,
) -> Result<MintedKey, Error> {
    let issued = IssuedKey::generate(provider, environment, rand::fill)
        .map_err(|_: aws_lc_rs::error::Unspecified| Error::NoRandomness)?;
    let record = record(issued.key.prefix(), hasher.hash(issued.key.expose()));
    Ok(MintedKey {
        key: issued.key,
        record,
    })
}

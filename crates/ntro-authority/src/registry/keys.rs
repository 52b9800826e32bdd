use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Registry;
use super::mint::{self, MintedKey, NewApiKey};
use crate::error::Error;
use crate::store::{
    ApiKeyRecord, CreateKeyOutcome, IdempotencyRecord, KeyFilter, TenantRecord, TenantStatus,
};
use ntro_base::Provider;

/// How long an idempotency key is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// The hashes of a request with an idempotency key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestDigest {
    /// Of the caller, the endpoint and the idempotency key.
    pub(crate) request: [u8; 32],
    /// Of the body.
    pub(crate) body: [u8; 32],
}

impl RequestDigest {
    pub(super) fn record(self, at: Timestamp) -> IdempotencyRecord {
        IdempotencyRecord {
            request: self.request,
            body: self.body,
            forget_before: at.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN),
        }
    }
}

/// The outcome of a request to make a key.
#[derive(Debug)]
pub(crate) enum MintOutcome {
    /// The key, to be shown once.
    New(Box<MintedKey>),
    /// The same request has made this key before.
    Replayed(Box<ApiKeyRecord>),
}

impl MintOutcome {
    /// Returns the record of the key.
    pub(crate) fn record(&self) -> &ApiKeyRecord {
        match self {
            Self::New(minted) => &minted.record,
            Self::Replayed(record) => record,
        }
    }
}

impl Registry {
    /// Makes a key for a tenant, which must be active.
    pub async fn create_key(
        &self,
        tenant: &TenantRecord,
        new: NewApiKey,
    ) -> Result<MintedKey, Error> {
        match self.mint(tenant, new, None).await? {
            MintOutcome::New(minted) => Ok(*minted),
            MintOutcome::Replayed(_) => Err(Error::Reused),
        }
    }

    /// Makes a key for a tenant, once for each request that `once` identifies.
    pub(crate) async fn mint(
        &self,
        tenant: &TenantRecord,
        new: NewApiKey,
        once: Option<RequestDigest>,
    ) -> Result<MintOutcome, Error> {
        if tenant.status != TenantStatus::Active {
            return Err(Error::TenantClosed {
                slug: tenant.slug.clone(),
                status: tenant.status,
            });
        }
        let stamp = self.stamp();
        let minted = mint::mint(&self.shared.hasher, tenant.id, new, stamp.at)?;
        let once = once.map(|once| once.record(stamp.at));
        let created = self.store().create_key(minted.record.clone(), once, stamp);
        match created.await? {
            CreateKeyOutcome::New => Ok(MintOutcome::New(Box::new(minted))),
            CreateKeyOutcome::Replayed(key) => Ok(MintOutcome::Replayed(key)),
            CreateKeyOutcome::Conflict => Err(Error::Reused),
        }
    }

    /// Returns the keys of one tenant, or of all, newest first, the revoked and expired ones too.
    pub async fn keys(
        &self,
        tenant: Option<Uuid>,
        provider: Option<Provider>,
    ) -> Result<Vec<ApiKeyRecord>, Error> {
        let filter = KeyFilter {
            tenant,
            provider,
            after: None,
            limit: u32::MAX,
            offset: 0,
        };
        self.key_page(filter).await
    }

    /// Returns the keys that a filter selects, in the order of [`Registry::keys`].
    pub(crate) async fn key_page(&self, filter: KeyFilter) -> Result<Vec<ApiKeyRecord>, Error> {
        Ok(self.store().keys(filter).await?)
    }

    /// Returns the key with this id, if there is one.
    pub(crate) async fn find_key(&self, id: Uuid) -> Result<Option<ApiKeyRecord>, Error> {
        Ok(self.store().key(id).await?)
    }

    /// Returns the receipt of a key's revocation, in JSON, if there is one.
    pub(crate) async fn receipt(&self, id: Uuid) -> Result<Option<String>, Error> {
        Ok(self.store().receipt(id).await?)
    }

    /// Revokes a key, and its pending successor. Revoking it again changes nothing.
    pub async fn revoke_key(&self, id: Uuid) -> Result<ApiKeyRecord, Error> {
        let revoked = self.store().revoke_key(id, self.stamp());
        revoked
            .await?
            .ok_or_else(|| Error::NoKey { id: id.to_string() })
    }
}

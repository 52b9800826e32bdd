//! What may be done with the registry: the operations behind `ntro admin`, the routes and `ntro dev`.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use super::error::Error;
use super::files::DatabaseFiles;
use super::issuer::SigningKey;
use super::keys::{self, Hasher, MintedKey, NewKey};
use super::settings::Database;
use super::store::{
    Created, DataPlatform, IdempotencyRecord, Key, KeyFilter, Member, Organisation, Role, Sqlite,
    Store, SuccessorOutcome, Tenant, TenantFilter, TenantStatus,
};
use ntro_base::{KeyName, NameError, Provider};

/// How long the answer to a request with an idempotency key is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// The registry of an authority.
///
/// A change is durable when its call has succeeded. One that takes something away is in force then
/// at whoever serves the database; a new key or tenant is known there, unless that process hangs,
/// and as soon as it goes on.
#[derive(Clone)]
pub struct Registry {
    store: Arc<dyn Store>,
    hasher: Hasher,
    issuer: Arc<SigningKey>,
}

/// What a tenant is to be.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// The organisation that owns it.
    pub organisation_id: Uuid,
    /// Its URL-safe name.
    pub slug: String,
    /// Its display name.
    pub name: String,
    /// What its data lies on.
    pub data_platform: DataPlatform,
    /// How that is reached; needed for all but `managed-postgres`.
    pub data_platform_config_id: Option<String>,
}

/// What became of a request to make a key.
#[derive(Debug)]
pub(super) enum Minted {
    /// The key, to be shown once.
    New(Box<MintedKey>),
    /// The same request has made this key before.
    Replayed(Box<Key>),
}

impl Registry {
    /// Opens the registry without serving them, making them if they are missing.
    ///
    /// Another process may serve them meanwhile.
    ///
    /// # Errors
    ///
    /// Fails when the database or a file beside it cannot be used, or is not what it should be.
    pub fn open(database: &Database) -> Result<Self, Error> {
        let Database::Sqlite(path) = database;
        let files = DatabaseFiles::beside(path);
        let hasher = open_hasher(&files)?;
        let store = Arc::new(Sqlite::open(&files)?);
        Self::over(store, hasher, &files)
    }

    pub(super) fn over(
        store: Arc<dyn Store>,
        hasher: Hasher,
        files: &DatabaseFiles,
    ) -> Result<Self, Error> {
        Ok(Self {
            store,
            hasher,
            issuer: Arc::new(SigningKey::open(files)?),
        })
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Returns the built-in issuer's public key as a JSON Web Key Set.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.issuer.jwks()
    }

    /// Adds an organisation. `external_id` is what its admins' tokens call it.
    ///
    /// # Errors
    ///
    /// Fails when the name cannot be one, or the external id is empty, taken, or the id of another
    /// organisation.
    pub async fn create_organisation(
        &self,
        name: &str,
        external_id: Option<&str>,
    ) -> Result<Organisation, Error> {
        // Some issuers call it "" where a user has no organisation at all.
        if external_id.is_some_and(|id| id.trim().is_empty()) {
            let what = "external id";
            return Err(NameError::Empty { what }.into());
        }
        let row = Organisation {
            id: Uuid::new_v4(),
            name: display_name(name, "organisation's name")?,
            external_id: external_id.map(str::to_owned),
            created_at: now(),
        };
        self.store.create_organisation(row.clone()).await?;
        Ok(row)
    }

    /// Returns every organisation, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the database cannot be read.
    pub async fn organisations(&self) -> Result<Vec<Organisation>, Error> {
        Ok(self.store.organisations().await?)
    }

    /// Returns the organisation with this id or external id.
    ///
    /// # Errors
    ///
    /// Fails when there is none.
    pub async fn organisation(&self, name: &str) -> Result<Organisation, Error> {
        self.store
            .organisation(name.to_owned())
            .await?
            .ok_or_else(|| Error::NoOrganisation {
                name: name.to_owned(),
            })
    }

    /// Adds an active tenant.
    ///
    /// # Errors
    ///
    /// Fails when the slug is taken, or something about the tenant is not allowed.
    pub async fn create_tenant(&self, new: NewTenant) -> Result<Tenant, Error> {
        if !is_slug(&new.slug) {
            return Err(Error::Slug { slug: new.slug });
        }
        let config_id = new.data_platform_config_id.as_deref();
        let config_id = match (new.data_platform, config_id) {
            (DataPlatform::ManagedPostgres, Some(_)) => return Err(Error::PlatformConfigForbidden),
            (DataPlatform::ManagedPostgres, None) => None,
            (_, None) => return Err(Error::PlatformConfigMissing),
            (_, Some(id)) => match display_name(id, "id of the platform's configuration") {
                Ok(id) => Some(id),
                Err(NameError::Empty { .. }) => return Err(Error::PlatformConfigMissing),
                Err(error) => return Err(Error::PlatformConfig(error)),
            },
        };
        let at = now();
        let row = Tenant {
            id: Uuid::new_v4(),
            organisation_id: new.organisation_id,
            slug: new.slug,
            name: display_name(&new.name, "tenant's name")?,
            data_platform: new.data_platform,
            data_platform_config_id: config_id,
            status: TenantStatus::Active,
            config: None,
            created_at: at,
            updated_at: at,
        };
        self.store.create_tenant(row.clone()).await?;
        Ok(row)
    }

    /// Returns the tenants of one organisation, or of all, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the database cannot be read.
    pub async fn tenants(
        &self,
        organisation: Option<Uuid>,
        status: Option<TenantStatus>,
    ) -> Result<Vec<Tenant>, Error> {
        let filter = TenantFilter {
            organisation,
            status,
        };
        Ok(self.store.tenants(filter).await?)
    }

    /// Returns the tenant with this id or slug.
    ///
    /// # Errors
    ///
    /// Fails when there is none.
    pub async fn tenant(&self, name: &str) -> Result<Tenant, Error> {
        self.store
            .tenant(name.to_owned())
            .await?
            .ok_or_else(|| Error::NoTenant {
                name: name.to_owned(),
            })
    }

    /// Changes where a tenant stands: its keys are accepted while it is active only.
    ///
    /// # Errors
    ///
    /// Fails when there is no such tenant, when it is taken down already, or when the change is
    /// not confirmed by whoever serves.
    pub async fn set_tenant_status(&self, id: Uuid, status: TenantStatus) -> Result<Tenant, Error> {
        let changed = self.store.set_tenant_status(id, status, now()).await?;
        let tenant = changed.ok_or_else(|| Error::NoTenant {
            name: id.to_string(),
        })?;
        if tenant.status != status {
            return Err(Error::TenantGone {
                slug: tenant.slug,
                status: tenant.status,
            });
        }
        Ok(tenant)
    }

    /// Replaces a tenant's settings.
    ///
    /// # Errors
    ///
    /// Fails when there is no such tenant.
    pub async fn set_tenant_config(&self, id: Uuid, config: Value) -> Result<Tenant, Error> {
        self.store
            .set_tenant_config(id, config, now())
            .await?
            .ok_or_else(|| Error::NoTenant {
                name: id.to_string(),
            })
    }

    /// Makes a key for a tenant.
    ///
    /// # Errors
    ///
    /// Fails when the tenant is not active, or something about the key is not allowed.
    pub async fn create_key(&self, tenant: &Tenant, new: NewKey) -> Result<MintedKey, Error> {
        match self.mint(tenant, new, None).await? {
            Minted::New(minted) => Ok(*minted),
            Minted::Replayed(_) => Err(Error::Reused),
        }
    }

    /// Makes a key for a tenant, once for each request that `once` names: the hash of who asks
    /// for what under which idempotency key, and the hash of the body.
    pub(super) async fn mint(
        &self,
        tenant: &Tenant,
        new: NewKey,
        once: Option<([u8; 32], [u8; 32])>,
    ) -> Result<Minted, Error> {
        if tenant.status != TenantStatus::Active {
            return Err(Error::TenantClosed {
                slug: tenant.slug.clone(),
                status: tenant.status,
            });
        }
        let at = now();
        let minted = keys::mint(&self.hasher, tenant.id, new, at)?;
        let once = once.map(|once| remembered(once, at));
        match self.store.create_key(minted.record.clone(), once).await? {
            Created::New => Ok(Minted::New(Box::new(minted))),
            Created::Replayed(key) => Ok(Minted::Replayed(key)),
            Created::Conflict => Err(Error::Reused),
        }
    }

    /// Makes the successor of a key, for the key itself. It is pending until it has ended its
    /// predecessor by [`Registry::revoke_predecessor`], and is revoked with it until then, but has an
    /// expiry of its own; a key has one pending successor at most, the newest.
    ///
    /// # Errors
    ///
    /// Fails when the key may not rotate itself, is revoked, or is itself a pending successor, and
    /// when the request that `once` names was seen or taken back before.
    pub(super) async fn create_successor(
        &self,
        id: Uuid,
        once: Option<([u8; 32], [u8; 32])>,
    ) -> Result<MintedKey, Error> {
        let gone = || Error::NoKey { id: id.to_string() };
        let key = self.store.key(id).await?.ok_or_else(gone)?;
        let minted = keys::mint_successor(&self.hasher, &key, now())?;
        let once = once.map(|once| remembered(once, minted.record.created_at));
        match self
            .store
            .create_successor(minted.record.clone(), once)
            .await?
        {
            SuccessorOutcome::New => Ok(minted),
            SuccessorOutcome::Gone => Err(gone()),
            SuccessorOutcome::Forbidden => Err(Error::RotationOff),
            SuccessorOutcome::Pending => Err(Error::RotationPending),
            SuccessorOutcome::Repeated => Err(Error::Reused),
        }
    }

    /// Revokes the pending successor of a key, if there is one; with `once`, the one alone that
    /// this request has made, and it will make none should it come yet.
    ///
    /// # Errors
    ///
    /// Fails when the change is not confirmed by whoever serves.
    pub(super) async fn revoke_successor(
        &self,
        id: Uuid,
        once: Option<([u8; 32], [u8; 32])>,
    ) -> Result<(), Error> {
        let at = now();
        let once = once.map(|once| remembered(once, at));
        Ok(self.store.revoke_successor(id, once, at).await?)
    }

    /// Revokes the predecessor of a key, if there is one; the key stands by itself then.
    ///
    /// # Errors
    ///
    /// Fails when the key itself is revoked, or the change is not confirmed by whoever serves.
    pub(super) async fn revoke_predecessor(&self, id: Uuid) -> Result<(), Error> {
        match self.store.revoke_predecessor(id, now()).await? {
            true => Ok(()),
            false => Err(Error::NoKey { id: id.to_string() }),
        }
    }

    /// Returns the keys of one tenant, or of all, newest first, the revoked and expired ones too.
    ///
    /// # Errors
    ///
    /// Fails when the database cannot be read.
    pub async fn keys(
        &self,
        tenant: Option<Uuid>,
        provider: Option<Provider>,
    ) -> Result<Vec<Key>, Error> {
        let filter = KeyFilter {
            tenant,
            provider,
            limit: u32::MAX,
            offset: 0,
        };
        Ok(self.store.keys(filter).await?)
    }

    /// Revokes a key, and its pending successor. Revoking it again changes nothing.
    ///
    /// # Errors
    ///
    /// Fails when there is no such key, or the change is not confirmed by whoever serves.
    pub async fn revoke_key(&self, id: Uuid) -> Result<Key, Error> {
        self.store
            .revoke_key(id, now())
            .await?
            .ok_or_else(|| Error::NoKey { id: id.to_string() })
    }

    /// Returns the users seen in an organisation.
    ///
    /// # Errors
    ///
    /// Fails when the database cannot be read.
    pub async fn members(&self, organisation: Uuid) -> Result<Vec<Member>, Error> {
        Ok(self.store.members(organisation).await?)
    }

    /// Makes an admin token of the built-in issuer.
    ///
    /// # Errors
    ///
    /// Fails when the token's end lies beyond all time.
    pub fn mint_admin_token(
        &self,
        organisation: &Organisation,
        role: Role,
        subject: &str,
        life: SignedDuration,
    ) -> Result<SecretString, Error> {
        self.issuer.mint(organisation, role, subject, life, now())
    }
}

pub(super) fn open_hasher(files: &DatabaseFiles) -> Result<Hasher, Error> {
    let check = Sqlite::pepper_check(files)?;
    let (hasher, own) = Hasher::open(files, check)?;
    if check.is_none() {
        Sqlite::set_pepper_check(files, own)?;
    }
    Ok(hasher)
}

fn remembered((request, body): ([u8; 32], [u8; 32]), at: Timestamp) -> IdempotencyRecord {
    IdempotencyRecord {
        request,
        body,
        forget_before: at.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN),
    }
}

/// Now, as the registry write it down.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Reads what is shown to people and never typed; `what` it is, for the error.
fn display_name(text: &str, what: &'static str) -> Result<String, NameError> {
    let name = text.parse::<KeyName>().map_err(|error| error.about(what))?;
    Ok(name.as_str().to_owned())
}

/// A slug becomes part of host names, and must not look like an id.
pub(super) fn is_slug(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=63).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && Uuid::try_parse(text).is_err()
}

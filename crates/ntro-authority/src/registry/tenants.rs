use serde_json::Value;
use uuid::Uuid;

use super::once::new_or_answered;
use super::{Answered, Registry, RequestDigest};
use crate::error::Error;
use crate::store::{DataPlatform, Stamp, TenantFilter, TenantRecord, TenantStatus};
use ntro_base::{KeyName, NameError};

/// A tenant to create.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// The organisation that owns it.
    pub organisation_id: Uuid,
    /// Its URL-safe name.
    pub slug: String,
    /// Its display name.
    pub name: String,
    /// The platform of its data.
    pub data_platform: DataPlatform,
    /// The id of the platform's configuration; needed for all but `managed-postgres`.
    pub data_platform_config_id: Option<String>,
}

impl NewTenant {
    /// Returns the record of the tenant.
    fn record(self, stamp: &Stamp) -> Result<TenantRecord, Error> {
        if !is_slug(&self.slug) {
            return Err(Error::Slug { slug: self.slug });
        }
        let config_id = self.data_platform_config_id.as_deref();
        let config_id = match (self.data_platform, config_id) {
            (DataPlatform::ManagedPostgres, Some(_)) => return Err(Error::PlatformConfigForbidden),
            (DataPlatform::ManagedPostgres, None) => None,
            (_, None) => return Err(Error::PlatformConfigMissing),
            (_, Some(id)) => match display_name(id, "id of the platform's configuration") {
                Ok(id) => Some(id),
                Err(NameError::Empty { .. }) => return Err(Error::PlatformConfigMissing),
                Err(error) => return Err(Error::PlatformConfig(error)),
            },
        };
        Ok(TenantRecord {
            id: Uuid::new_v4(),
            organisation_id: self.organisation_id,
            slug: self.slug,
            name: display_name(&self.name, "tenant's name")?,
            data_platform: self.data_platform,
            data_platform_config_id: config_id,
            status: TenantStatus::Active,
            config: None,
            created_at: stamp.at,
            updated_at: stamp.at,
        })
    }
}

impl Registry {
    /// Adds an active tenant.
    pub async fn create_tenant(&self, new: NewTenant) -> Result<TenantRecord, Error> {
        let stamp = self.stamp();
        let row = new.record(&stamp)?;
        self.store().create_tenant(row.clone(), stamp).await?;
        Ok(row)
    }

    /// Adds an active tenant, once for each request that `once` identifies, and returns the answer.
    pub(crate) async fn answer_create_tenant(
        &self,
        new: NewTenant,
        once: Option<RequestDigest>,
        render: impl FnOnce(&TenantRecord) -> String,
    ) -> Result<Answered, Error> {
        let Some(once) = once else {
            let row = self.create_tenant(new).await?;
            return Ok(Answered::New(render(&row)));
        };
        let stamp = self.stamp();
        let row = new.record(&stamp)?;
        let response = render(&row);
        let record = once.response(stamp.at, response.clone());
        let created = self.store().create_tenant_once(row, record, stamp);
        let created = new_or_answered(created.await?)?;
        Ok(created.map_or_else(|earlier| earlier, |()| Answered::New(response)))
    }

    /// Returns the tenants of one organisation, or of all, oldest first.
    pub async fn tenants(
        &self,
        organisation: Option<Uuid>,
        status: Option<TenantStatus>,
    ) -> Result<Vec<TenantRecord>, Error> {
        let filter = TenantFilter {
            organisation,
            status,
            ..TenantFilter::default()
        };
        self.tenant_page(filter).await
    }

    /// Returns the tenants that a filter selects, in the order of [`Registry::tenants`].
    pub(crate) async fn tenant_page(
        &self,
        filter: TenantFilter,
    ) -> Result<Vec<TenantRecord>, Error> {
        Ok(self.store().tenants(filter).await?)
    }

    /// Returns the tenant with this id or slug.
    pub async fn tenant(&self, name: &str) -> Result<TenantRecord, Error> {
        let found = self.find_tenant(name).await?;
        found.ok_or_else(|| Error::NoTenant {
            name: name.to_owned(),
        })
    }

    /// Returns the tenant with this id or slug, if there is one.
    pub(crate) async fn find_tenant(&self, name: &str) -> Result<Option<TenantRecord>, Error> {
        Ok(self.store().tenant(name.to_owned()).await?)
    }

    /// Renames a tenant. Its slug stays: hosts and settings contain it.
    pub async fn rename_tenant(&self, id: Uuid, name: &str) -> Result<TenantRecord, Error> {
        let name = display_name(name, "tenant's name")?;
        let renamed = self.store().rename_tenant(id, name, self.stamp());
        renamed.await?.ok_or_else(|| Error::NoTenant {
            name: id.to_string(),
        })
    }

    /// Changes a tenant's status. Its keys are accepted only while it is active.
    pub async fn set_tenant_status(
        &self,
        id: Uuid,
        status: TenantStatus,
    ) -> Result<TenantRecord, Error> {
        let changed = self.store().set_tenant_status(id, status, self.stamp());
        let tenant = changed.await?.ok_or_else(|| Error::NoTenant {
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
    pub async fn set_tenant_config(&self, id: Uuid, config: Value) -> Result<TenantRecord, Error> {
        let changed = self.store().set_tenant_config(id, config, self.stamp());
        changed.await?.ok_or_else(|| Error::NoTenant {
            name: id.to_string(),
        })
    }
}

/// Reads a display name; `what` names it in the error.
pub(super) fn display_name(text: &str, what: &'static str) -> Result<String, NameError> {
    let name = text.parse::<KeyName>().map_err(|error| error.about(what))?;
    Ok(name.as_str().to_owned())
}

/// Returns whether `text` may be a slug: it becomes part of host names, and must not look like an id.
pub(crate) fn is_slug(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=63).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && Uuid::try_parse(text).is_err()
}

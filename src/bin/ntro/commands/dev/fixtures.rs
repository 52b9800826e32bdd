//! The organisation and the tenants of `ntro dev`.

use ntro_authority::{DataPlatform, Error, NewTenant, Registry, TenantRecord};

/// The organisation's name in admin tokens.
pub(super) const ORGANISATION: &str = "acme";

/// The tenants, in order.
pub(super) struct Fixtures {
    /// `acme-fund-admin`, which the keys belong to.
    pub(super) tenant: TenantRecord,
}

/// Finds the organisation and its tenants, and makes the missing ones.
pub(super) async fn build(registry: &Registry) -> Result<Fixtures, Error> {
    let organisation = match registry.organisation(ORGANISATION).await {
        Err(Error::NoOrganisation { .. }) => {
            registry
                .create_organisation("Acme", Some(ORGANISATION))
                .await?
        }
        found => found?,
    };
    let mut tenants = Vec::new();
    for (slug, name) in [
        ("acme-fund-admin", "Acme Fund Admin"),
        ("globex-capital", "Globex Capital"),
    ] {
        let tenant = match registry.tenant(slug).await {
            Err(Error::NoTenant { .. }) => {
                let new = NewTenant {
                    organisation_id: organisation.id,
                    slug: slug.to_owned(),
                    name: name.to_owned(),
                    data_platform: DataPlatform::ManagedPostgres,
                    data_platform_config_id: None,
                };
                registry.create_tenant(new).await?
            }
            found => found?,
        };
        tenants.push(tenant);
    }
    Ok(Fixtures {
        tenant: tenants.swap_remove(0),
    })
}

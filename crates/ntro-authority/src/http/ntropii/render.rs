//! Records in Ntropii's wire format.

use crate::store::{ApiKeyRecord, TenantRecord};
use crate::verify::{CachedTenant, TenantNames};
use ntro_base::ApiKey;
use ntro_base::wire::ntropii;

/// Renders the response to the identity request.
pub(crate) fn profile(key: &ApiKeyRecord, tenant: &CachedTenant) -> ntropii::UserProfile {
    let TenantNames { name, organisation } = tenant.names();
    ntropii::UserProfile {
        id: key.id.to_string(),
        email: format!("{}@keys.invalid", key.id),
        name: key.name.to_string(),
        org_id: tenant.organisation_id.to_string(),
        org_name: Some(organisation),
        roles: vec!["tenant:admin".to_owned()],
        tenants: Some(vec![ntropii::TenantRef {
            id: tenant.id.to_string(),
            slug: tenant.slug.to_string(),
            name,
        }]),
        key: Some(ntropii::KeyRef {
            id: key.id.to_string(),
            prefix: key.prefix.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            created_at: Some(key.created_at.to_string()),
            may_rotate: (!key.may_rotate).then_some(false),
            parent_id: key.parent.map(|id| id.to_string()),
            tripped_at: key.tripped_at.map(|at| at.to_string()),
        }),
    }
}

/// Renders a key; `secret` is its text, sent only when the key is made.
pub(crate) fn key(key: &ApiKeyRecord, secret: Option<&ApiKey>) -> ntropii::TenantKey {
    ntropii::TenantKey {
        id: key.id.to_string(),
        tenant_id: key.tenant_id.to_string(),
        tenant_name: None,
        name: key.name.to_string(),
        key_prefix: key.prefix.to_string(),
        expires_at: key.expires_at.map(|at| at.to_string()),
        created_at: key.created_at.to_string(),
        last_used_at: key.last_used_at.map(|at| at.to_string()),
        last_used_address: key.last_used_address.map(|address| address.to_string()),
        last_used_agent: key.last_used_agent.clone(),
        created_by: key.created_by.clone(),
        revoked_at: key.revoked_at.map(|at| at.to_string()),
        paused_at: key.paused_at.map(|at| at.to_string()),
        may_rotate: (!key.may_rotate).then_some(false),
        parent_id: key.parent.map(|id| id.to_string()),
        tripped_at: key.tripped_at.map(|at| at.to_string()),
        key: secret.map(|key| key.expose().to_owned()),
    }
}

/// Renders a tenant.
pub(super) fn tenant(tenant: &TenantRecord) -> ntropii::Tenant {
    ntropii::Tenant {
        id: tenant.id.to_string(),
        name: tenant.name.clone(),
        slug: tenant.slug.clone(),
        data_platform: tenant.data_platform.to_string(),
        data_platform_config_id: tenant.data_platform_config_id.clone(),
        status: tenant.status.to_string(),
        config: tenant.config.clone(),
        entity_count: 0,
        created_at: Some(tenant.created_at.to_string()),
        updated_at: Some(tenant.updated_at.to_string()),
    }
}

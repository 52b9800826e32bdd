//! Rows of the registry as the wire knows them.

use jiff::Timestamp;

use crate::store::{ApiKeyRecord, MemberRecord, Role, TenantRecord};
use crate::verify::CachedTenant;
use ntro_base::wire::{ntropii, ontora};
use ntro_base::{ApiKey, Provider};

/// The answer to `GET /v1/me` or `GET /v1/api-keys/current`, made once for each key.
pub(crate) fn identity_response(
    key: &ApiKeyRecord,
    tenant: &CachedTenant,
    region: &str,
) -> Box<[u8]> {
    let body = match key.provider {
        Provider::Ntropii => serde_json::to_vec(&profile(key, tenant)),
        Provider::Ontora => serde_json::to_value(ontora_key(key, region, None)).and_then(|body| {
            let mut body = body;
            if let Some(body) = body.as_object_mut() {
                // It is being used now, and it is live: there is nothing to say.
                body.remove("last_used_at");
                body.remove("revoked_at");
            }
            serde_json::to_vec(&body)
        }),
    };
    // Strings and numbers always become JSON.
    body.unwrap_or_default().into()
}

fn profile(key: &ApiKeyRecord, tenant: &CachedTenant) -> ntropii::UserProfile {
    ntropii::UserProfile {
        id: key.id.to_string(),
        email: format!("{}@keys.invalid", key.id),
        name: key.name.to_string(),
        org_id: tenant.organisation_id.to_string(),
        roles: vec!["tenant:admin".to_owned()],
        tenants: Some(vec![ntropii::TenantRef {
            id: tenant.id.to_string(),
            slug: tenant.slug.clone(),
            name: tenant.name.clone(),
        }]),
        key: Some(ntropii::KeyRef {
            id: key.id.to_string(),
            prefix: key.prefix.to_string(),
            expires_at: key.expires_at.map(text),
            created_at: Some(text(key.created_at)),
            may_rotate: unless_true(key.may_rotate),
        }),
    }
}

pub(crate) fn ontora_key(
    key: &ApiKeyRecord,
    region: &str,
    secret: Option<&ApiKey>,
) -> ontora::ApiKeyInfo {
    ontora::ApiKeyInfo {
        id: key.id.to_string(),
        workspace_id: key.tenant_id.to_string(),
        name: key.name.to_string(),
        scopes: key.scopes.iter().map(ToString::to_string).collect(),
        key_prefix: key.prefix.to_string(),
        expires_at: key.expires_at.map(text),
        created_at: Some(text(key.created_at)),
        last_used_at: key.last_used_at.map(text),
        created_by: key.created_by.clone(),
        revoked_at: key.revoked_at.map(text),
        region: Some(region.to_owned()),
        may_rotate: unless_true(key.may_rotate),
        key: secret.map(|key| key.expose().to_owned()),
    }
}

pub(crate) fn ntropii_key(key: &ApiKeyRecord, secret: Option<&ApiKey>) -> ntropii::TenantKey {
    ntropii::TenantKey {
        id: key.id.to_string(),
        tenant_id: key.tenant_id.to_string(),
        name: key.name.to_string(),
        key_prefix: key.prefix.to_string(),
        expires_at: key.expires_at.map(text),
        created_at: text(key.created_at),
        last_used_at: key.last_used_at.map(text),
        created_by: key.created_by.clone(),
        revoked_at: key.revoked_at.map(text),
        may_rotate: unless_true(key.may_rotate),
        key: secret.map(|key| key.expose().to_owned()),
    }
}

pub(crate) fn tenant(tenant: &TenantRecord) -> ntropii::Tenant {
    ntropii::Tenant {
        id: tenant.id.to_string(),
        name: tenant.name.clone(),
        slug: tenant.slug.clone(),
        data_platform: tenant.data_platform.to_string(),
        data_platform_config_id: tenant.data_platform_config_id.clone(),
        status: tenant.status.to_string(),
        config: tenant.config.clone(),
        entity_count: 0,
        created_at: Some(text(tenant.created_at)),
        updated_at: Some(text(tenant.updated_at)),
    }
}

pub(crate) fn workspace(tenant: &TenantRecord, role: Role) -> ontora::Workspace {
    ontora::Workspace {
        id: tenant.id.to_string(),
        name: tenant.name.clone(),
        role: role.to_string(),
        created_at: Some(text(tenant.created_at)),
    }
}

pub(crate) fn member(member: &MemberRecord) -> ontora::Member {
    ontora::Member {
        user_id: member.user_id.clone(),
        role: member.role.to_string(),
        created_at: Some(text(member.created_at)),
    }
}

/// The documented shape has no such member, so it is there only where it says something.
fn unless_true(value: bool) -> Option<bool> {
    (!value).then_some(value)
}

fn text(at: Timestamp) -> String {
    at.to_string()
}

//! Records in Ontora's wire format.

use crate::admin_auth::shown_subject;
use crate::store::{ApiKeyRecord, MemberRecord, Role, TenantRecord};
use crate::verify::CachedTenant;
use ntro_base::ApiKey;
use ntro_base::wire::ontora;

/// Renders the response to the identity request.
pub(crate) fn identity(
    record: &ApiKeyRecord,
    tenant: &CachedTenant,
    region: &str,
) -> serde_json::Result<Vec<u8>> {
    let names = tenant.names();
    let key = ontora::ApiKeyInfo {
        workspace_name: Some(names.name),
        organisation_id: Some(tenant.organisation_id.to_string()),
        organisation_name: Some(names.organisation),
        ..key(record, region, None)
    };
    let mut body = serde_json::to_value(key)?;
    if let Some(body) = body.as_object_mut() {
        // The key is live and in use, so these say nothing.
        for member in [
            "last_used_at",
            "last_used_address",
            "last_used_agent",
            "revoked_at",
        ] {
            body.remove(member);
        }
    }
    serde_json::to_vec(&body)
}

/// Renders a key; `secret` is its text, sent only when the key is made.
pub(crate) fn key(key: &ApiKeyRecord, region: &str, secret: Option<&ApiKey>) -> ontora::ApiKeyInfo {
    ontora::ApiKeyInfo {
        id: key.id.to_string(),
        workspace_id: key.tenant_id.to_string(),
        workspace_name: None,
        organisation_id: None,
        organisation_name: None,
        name: key.name.to_string(),
        scopes: key.scopes.iter().map(ToString::to_string).collect(),
        key_prefix: key.prefix.to_string(),
        expires_at: key.expires_at.map(|at| at.to_string()),
        created_at: Some(key.created_at.to_string()),
        last_used_at: key.last_used_at.map(|at| at.to_string()),
        last_used_address: key.last_used_address.map(|address| address.to_string()),
        last_used_agent: key.last_used_agent.clone(),
        created_by: key.created_by.clone(),
        revoked_at: key.revoked_at.map(|at| at.to_string()),
        paused_at: key.paused_at.map(|at| at.to_string()),
        region: Some(region.to_owned()),
        may_rotate: (!key.may_rotate).then_some(false),
        parent_id: key.parent.map(|id| id.to_string()),
        tripped_at: key.tripped_at.map(|at| at.to_string()),
        key: secret.map(|key| key.expose().to_owned()),
    }
}

/// Renders a tenant as the workspace of a user with this role.
pub(super) fn workspace(tenant: &TenantRecord, role: Role) -> ontora::Workspace {
    ontora::Workspace {
        id: tenant.id.to_string(),
        name: tenant.name.clone(),
        role: role.to_string(),
        created_at: Some(tenant.created_at.to_string()),
    }
}

/// Renders a member.
pub(super) fn member(member: &MemberRecord) -> ontora::Member {
    ontora::Member {
        user_id: shown_subject(&member.user_id),
        role: member.role.to_string(),
        created_at: Some(member.created_at.to_string()),
    }
}

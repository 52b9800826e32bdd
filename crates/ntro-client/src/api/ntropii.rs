//! Ntropii: its paths and its answers.

use serde_json::Value;

use super::error::Error;
use super::identity::Identity;
use super::key_info::{Expiry, KeyInfo, drop_odd_times, moment, revoked};
use super::path::segment;
use super::response::ServerResponse;
use super::tenant::{Tenant, named_tenant};
use super::text::{all_non_empty, clean, non_empty, prefix};
use ntro_base::wire::ntropii as wire;
use ntro_base::{Host, TenantSlug};

/// The path of the owner of the key.
pub(super) const ME: &str = "/me";

pub(super) fn me(host: &Host) -> String {
    host.join(ME)
}

pub(super) fn tenants(host: &Host) -> String {
    host.join("/workspace/tenants")
}

pub(super) fn tenant(host: &Host, slug: &TenantSlug) -> String {
    host.join(&format!("/workspace/tenants/{}", segment(slug.as_str())))
}

/// Returns the URL of a tenant's keys, which only an authority has.
pub(super) fn tenant_keys(host: &Host, slug: &TenantSlug) -> String {
    format!("{}/api-keys", tenant(host, slug))
}

pub(super) fn tenant_key(host: &Host, slug: &TenantSlug, id: &str) -> String {
    format!("{}/{}", tenant_keys(host, slug), segment(id))
}

/// Returns the URL of the presented key, which only an authority has. Ntropii's hosts already end
/// in `/v1`.
pub(super) fn current_key(host: &Host) -> String {
    if host.as_str().ends_with("/v1") {
        host.join("/api-keys/current")
    } else {
        host.join("/v1/api-keys/current")
    }
}

pub(super) fn identity(answer: &ServerResponse) -> Result<Identity, Error> {
    let mut value = answer.value()?;
    let key = value
        .get_mut("key")
        .map(Value::take)
        .filter(|key| !key.is_null())
        .map(|key| key_ref(answer, key))
        .transpose()?;
    let profile: wire::UserProfile = answer.shaped(value)?;
    let tenants = profile
        .tenants
        .map(|tenants| {
            tenants
                .into_iter()
                .map(|tenant| {
                    Ok(Tenant {
                        name: non_empty(&tenant.name),
                        ..named_tenant(answer, &tenant.id, &tenant.slug)?
                    })
                })
                .collect::<Result<Vec<_>, Error>>()
        })
        .transpose()?;
    Ok(Identity {
        id: clean(&profile.id),
        name: clean(&profile.name),
        email: non_empty(&profile.email).filter(|email| !is_invented(email)),
        organisation: profile
            .org_name
            .as_deref()
            .and_then(non_empty)
            .or_else(|| non_empty(&profile.org_id)),
        organisation_id: non_empty(&profile.org_id),
        roles: all_non_empty(&profile.roles),
        key,
        tenants,
        region: None,
    })
}

/// Returns whether an address only fills a field that the official client requires: no mail reaches
/// the domain `invalid` (RFC 2606).
fn is_invented(email: &str) -> bool {
    email.ends_with(".invalid")
}

fn key_ref(answer: &ServerResponse, mut value: Value) -> Result<KeyInfo, Error> {
    let expires = Expiry::take(answer, &mut value, "expiresAt");
    drop_odd_times(&mut value, &["createdAt", "trippedAt"]);
    let key: wire::KeyRef = answer.shaped(value)?;
    Ok(KeyInfo {
        id: non_empty(&key.id),
        prefix: prefix(&key.prefix),
        expires,
        created_at: key.created_at.and_then(|at| moment(&at).ok()),
        may_rotate: key.may_rotate != Some(false),
        parent: key.parent_id.as_deref().and_then(non_empty),
        tripped_at: key.tripped_at.and_then(|at| moment(&at).ok()),
        ..KeyInfo::default()
    })
}

pub(super) fn tenant_list(answer: &ServerResponse) -> Result<Vec<Tenant>, Error> {
    answer
        .items()?
        .into_iter()
        .map(|tenant| tenant_of(answer, &answer.shaped(tenant)?))
        .collect()
}

pub(super) fn one_tenant(answer: &ServerResponse) -> Result<Tenant, Error> {
    tenant_of(answer, &answer.json()?)
}

fn tenant_of(answer: &ServerResponse, tenant: &wire::Tenant) -> Result<Tenant, Error> {
    Ok(Tenant {
        name: non_empty(&tenant.name),
        status: non_empty(&tenant.status),
        data_platform: non_empty(&tenant.data_platform),
        entity_count: Some(tenant.entity_count),
        created_at: tenant.created_at.as_deref().and_then(|at| moment(at).ok()),
        ..named_tenant(answer, &tenant.id, &tenant.slug)?
    })
}

pub(super) fn key_list(answer: &ServerResponse) -> Result<Vec<KeyInfo>, Error> {
    answer
        .items()?
        .into_iter()
        .map(|key| tenant_key_of(answer, key))
        .collect()
}

pub(super) fn tenant_key_of(answer: &ServerResponse, mut value: Value) -> Result<KeyInfo, Error> {
    let expires = Expiry::take(answer, &mut value, "expiresAt");
    drop_odd_times(
        &mut value,
        &["createdAt", "lastUsedAt", "pausedAt", "trippedAt"],
    );
    let key: wire::TenantKey = answer.shaped(value)?;
    Ok(KeyInfo {
        id: non_empty(&key.id),
        prefix: prefix(&key.key_prefix),
        name: non_empty(&key.name),
        tenant: non_empty(&key.tenant_id),
        tenant_name: key.tenant_name.as_deref().and_then(non_empty),
        scopes: None,
        expires,
        created_at: moment(&key.created_at).ok(),
        last_used_at: key.last_used_at.and_then(|at| moment(&at).ok()),
        created_by: key.created_by.as_deref().and_then(non_empty),
        revoked_at: revoked(key.revoked_at.as_deref()).map_err(|error| answer.misshapen(error))?,
        paused_at: key.paused_at.and_then(|at| moment(&at).ok()),
        region: None,
        may_rotate: key.may_rotate != Some(false),
        parent: key.parent_id.as_deref().and_then(non_empty),
        tripped_at: key.tripped_at.and_then(|at| moment(&at).ok()),
    })
}

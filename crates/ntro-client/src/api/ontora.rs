//! Ontora: its paths and its answers.

use serde_json::Value;

use super::error::Error;
use super::identity::Identity;
use super::key_info::{Expiry, KeyInfo, drop_odd_times, moment, revoked};
use super::path::segment;
use super::response::ServerResponse;
use super::tenant::{Tenant, named_tenant};
use super::text::{all_non_empty, non_empty, prefix};
use ntro_base::wire::ontora as wire;
use ntro_base::{Host, TenantSlug};

/// The size of a page of keys: the most that a server returns.
pub(super) const PAGE: usize = 500;

/// The path of the presented key.
pub(super) const CURRENT_KEY: &str = "/v1/api-keys/current";

pub(super) fn current_key(host: &Host) -> String {
    host.join(CURRENT_KEY)
}

pub(super) fn keys(host: &Host) -> String {
    host.join("/v1/api-keys")
}

pub(super) fn key_page(host: &Host, workspace: &TenantSlug, offset: usize) -> String {
    format!(
        "{}?workspace_id={}&limit={PAGE}&offset={offset}",
        keys(host),
        segment(workspace.as_str())
    )
}

pub(super) fn key(host: &Host, id: &str) -> String {
    host.join(&format!("/v1/api-keys/{}", segment(id)))
}

pub(super) fn workspaces(host: &Host) -> String {
    host.join("/v1/workspaces")
}

/// Reads the presented key. An answer without a workspace is not Ontora's.
pub(super) fn current(answer: &ServerResponse) -> Result<KeyInfo, Error> {
    let key = key_of(answer, answer.value()?)?;
    if key.tenant.is_none() {
        return Err(answer.misshapen("it names no workspace"));
    }
    Ok(key)
}

pub(super) fn identity(answer: &ServerResponse) -> Result<Identity, Error> {
    let key = current(answer)?;
    let workspace = workspace_of(answer, &key)?;
    let value = answer.value()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).and_then(non_empty);
    let organisation_id = text("organisation_id");
    Ok(Identity {
        id: key.id.clone().unwrap_or_else(|| workspace.id.clone()),
        name: key.name.clone().unwrap_or_default(),
        email: None,
        organisation: text("organisation_name").or_else(|| organisation_id.clone()),
        organisation_id,
        roles: Vec::new(),
        region: key.region.clone(),
        tenants: Some(vec![workspace]),
        key: Some(key),
    })
}

/// Returns the one workspace of a key.
pub(super) fn workspace_of(answer: &ServerResponse, key: &KeyInfo) -> Result<Tenant, Error> {
    let id = key.tenant.as_deref().unwrap_or_default();
    Ok(Tenant {
        name: key.tenant_name.clone(),
        ..named_tenant(answer, id, id)?
    })
}

pub(super) fn key_of(answer: &ServerResponse, mut value: Value) -> Result<KeyInfo, Error> {
    let expires = Expiry::take(answer, &mut value, "expires_at");
    drop_odd_times(
        &mut value,
        &["created_at", "last_used_at", "paused_at", "tripped_at"],
    );
    let key: wire::ApiKeyInfo = answer.shaped(value)?;
    let time = |at: Option<String>| at.and_then(|at| moment(&at).ok());
    Ok(KeyInfo {
        id: non_empty(&key.id),
        prefix: prefix(&key.key_prefix),
        name: non_empty(&key.name),
        tenant: non_empty(&key.workspace_id),
        tenant_name: key.workspace_name.as_deref().and_then(non_empty),
        scopes: Some(all_non_empty(&key.scopes)),
        expires,
        created_at: time(key.created_at),
        last_used_at: time(key.last_used_at),
        created_by: key.created_by.as_deref().and_then(non_empty),
        revoked_at: revoked(key.revoked_at.as_deref()).map_err(|error| answer.misshapen(error))?,
        paused_at: time(key.paused_at),
        region: key.region.as_deref().and_then(non_empty),
        may_rotate: key.may_rotate != Some(false),
        parent: key.parent_id.as_deref().and_then(non_empty),
        tripped_at: key.tripped_at.and_then(|at| moment(&at).ok()),
    })
}

pub(super) fn key_list(answer: &ServerResponse) -> Result<Vec<KeyInfo>, Error> {
    answer
        .items()?
        .into_iter()
        .map(|key| key_of(answer, key))
        .collect()
}

pub(super) fn workspace_list(answer: &ServerResponse) -> Result<Vec<Tenant>, Error> {
    answer
        .items()?
        .into_iter()
        .map(|workspace| {
            let workspace: wire::Workspace = answer.shaped(workspace)?;
            Ok(Tenant {
                name: non_empty(&workspace.name),
                role: non_empty(&workspace.role),
                created_at: workspace.created_at.and_then(|at| moment(&at).ok()),
                ..named_tenant(answer, &workspace.id, &workspace.id)?
            })
        })
        .collect()
}

//! The keys of a tenant. Ntropii itself has no such endpoints.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::caller::find_tenant;
use super::{Result, render};
use crate::http::api_error::ApiError;
use crate::http::authentication::{Admin, Session};
use crate::http::created::created_or_replayed;
use crate::http::extract::{IdempotencyKey, Object, Path, Query, parse_id};
use crate::http::fields::{FieldReader, creation_digest};
use crate::http::page::Page;
use crate::http::receipt_header;
use crate::http::usage::{UsageQuery, hours};
use crate::registry::NewApiKey;
use crate::server::Authority;
use crate::store::ApiKeyRecord;
use ntro_base::Provider;
use ntro_base::wire::ntropii::TenantKey;

/// `GET /v1/workspace/tenants/{tenant}/api-keys`
pub(super) async fn list(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(name): Path<String>,
    page: Page,
) -> Result<Response> {
    let registry = session.registry(&authority);
    let tenant = find_tenant(&registry, &name, |one| session.reaches(one)).await?;
    let filter = page.keys(&registry, tenant.id, Provider::Ntropii).await?;
    let mut keys = registry.key_page(filter).await?;
    authority.key_cache().add_last_use(&mut keys);
    let named = |key: &_| TenantKey {
        tenant_name: Some(tenant.name.clone()),
        ..render::key(key, None)
    };
    Ok(page.answer(keys, |key| key.id.to_string(), named))
}

/// `POST /v1/workspace/tenants/{tenant}/api-keys`
pub(super) async fn create(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(name): Path<String>,
    idempotency: IdempotencyKey,
    Object(body): Object,
) -> Result<Response> {
    let registry = session.registry(&authority);
    let tenant = find_tenant(&registry, &name, |one| session.reaches(one)).await?;
    let mut fields = FieldReader::of(&body);
    let name = fields.key_name();
    let expires_in_days = fields.days("expiresInDays");
    let may_rotate = fields.may_rotate("mayRotate");
    fields.only(&["name", "expiresInDays", "mayRotate"]);
    fields.done()?;
    let (Some(name), Some(expires_in_days), Some(may_rotate)) = (name, expires_in_days, may_rotate)
    else {
        return Err(ApiError::internal().into());
    };
    let path = "POST /v1/workspace/tenants/{tenant}/api-keys";
    let digest = creation_digest(idempotency, &session, path, tenant.id, &body);
    let new = NewApiKey {
        provider: Provider::Ntropii,
        environment: None,
        name,
        scopes: Vec::new(),
        expires_in_days,
        created_by: Some(session.subject),
        owner: Some(session.user_id),
        may_rotate,
    };
    let outcome = registry.mint(&tenant, new, digest).await;
    let life = ["body", "expiresInDays"];
    let outcome = outcome.map_err(|error| ApiError::about_life(error, life))?;
    Ok(created_or_replayed(&outcome, render::key))
}

/// `GET /v1/workspace/tenants/{tenant}/api-keys/{key}`
pub(super) async fn info(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(path): Path<(String, String)>,
) -> Result<Json<TenantKey>> {
    let key = reached(&authority, &session, &path).await?;
    Ok(shown(&authority, key))
}

/// `GET /v1/workspace/tenants/{tenant}/api-keys/{key}/usage?hours=…`
pub(super) async fn usage(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(path): Path<(String, String)>,
    Query(query): Query<UsageQuery>,
) -> Result<Json<Value>> {
    let key = reached(&authority, &session, &path).await?;
    let registry = session.registry(&authority);
    let hours = hours(&authority, &registry, key.id, &query).await?;
    Ok(Json(json!({"keyId": key.id.to_string(), "hours": hours})))
}

/// `POST /v1/workspace/tenants/{tenant}/api-keys/{key}/pause`
pub(super) async fn pause(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(path): Path<(String, String)>,
) -> Result<Json<TenantKey>> {
    let key = reached(&authority, &session, &path).await?;
    let key = session.registry(&authority).pause_key(key.id).await?;
    Ok(shown(&authority, key))
}

/// `POST /v1/workspace/tenants/{tenant}/api-keys/{key}/resume`
pub(super) async fn resume(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(path): Path<(String, String)>,
) -> Result<Json<TenantKey>> {
    let key = reached(&authority, &session, &path).await?;
    let key = session.registry(&authority).resume_key(key.id).await?;
    Ok(shown(&authority, key))
}

/// `DELETE /v1/workspace/tenants/{tenant}/api-keys/{key}`
pub(super) async fn revoke(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(path): Path<(String, String)>,
) -> Result<impl IntoResponse> {
    let key = reached(&authority, &session, &path).await?;
    let registry = session.registry(&authority);
    let key = registry.revoke_key(key.id).await?;
    let receipt = receipt_header(&registry, key.id).await;
    Ok((receipt, shown(&authority, key)))
}

/// Returns the key with the id in a path, if it is in the caller's reach.
async fn reached(
    authority: &Authority,
    session: &Session,
    (tenant, id): &(String, String),
) -> Result<ApiKeyRecord> {
    let registry = session.registry(authority);
    let tenant = find_tenant(&registry, tenant, |one| session.reaches(one)).await?;
    let hidden = || ApiError::not_found("API key not found");
    let id = parse_id(id, "key_").ok_or_else(hidden)?;
    let key = registry.find_key(id).await?;
    let key = key.filter(|key| key.tenant_id == tenant.id && key.provider == Provider::Ntropii);
    Ok(key.ok_or_else(hidden)?)
}

fn shown(authority: &Authority, mut key: ApiKeyRecord) -> Json<TenantKey> {
    authority
        .key_cache()
        .add_last_use(std::slice::from_mut(&mut key));
    Json(render::key(&key, None))
}

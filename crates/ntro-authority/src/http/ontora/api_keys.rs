//! Keys of the organisation's workspaces: admins create, list, pause and revoke them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::workspaces::workspace;
use super::{Result, render};
use crate::http::api_error::ApiError;
use crate::http::authentication::{Admin, Session, User};
use crate::http::created::created_or_replayed;
use crate::http::extract::{IdempotencyKey, Object, Path, Query, parse_id};
use crate::http::fields::{FieldReader, creation_digest};
use crate::http::page::Page;
use crate::http::receipt_header;
use crate::http::usage::{UsageQuery, hours};
use crate::registry::{KeyFilter, NewApiKey};
use crate::server::Authority;
use crate::store::ApiKeyRecord;
use ntro_base::Provider;
use ntro_base::wire::ontora::ApiKeyInfo;

const DEFAULT_PAGE: u32 = 100;

#[derive(Deserialize)]
pub(super) struct Filter {
    workspace_id: Option<String>,
    offset: Option<String>,
}

/// `POST /v1/api-keys`
pub(super) async fn create(
    State(authority): State<Authority>,
    Admin(session): Admin,
    idempotency: IdempotencyKey,
    Object(body): Object,
) -> Result<Response> {
    let mut fields = FieldReader::of(&body);
    let name = fields.key_name();
    let workspace_id = fields.text("workspace_id").and_then(|text| {
        let id = parse_id(text, "ws_");
        if id.is_none() {
            fields.reject(["workspace_id".into()], "must be a UUID", "uuid_parsing");
        }
        id
    });
    let scopes = fields.scopes();
    let expires_in_days = fields.days("expires_in_days");
    let may_rotate = fields.may_rotate("may_rotate");
    fields.only(&[
        "name",
        "workspace_id",
        "scopes",
        "expires_in_days",
        "may_rotate",
    ]);
    fields.done()?;
    let (Some(name), Some(workspace_id), Some(scopes), Some(expires_in_days), Some(may_rotate)) =
        (name, workspace_id, scopes, expires_in_days, may_rotate)
    else {
        return Err(ApiError::internal().into());
    };
    let tenant = workspace(&authority, &session, workspace_id).await?;
    let digest = creation_digest(idempotency, &session, "POST /v1/api-keys", tenant.id, &body);
    let registry = session.registry(&authority);
    let new = NewApiKey {
        provider: Provider::Ontora,
        environment: None,
        name,
        scopes,
        expires_in_days,
        created_by: Some(session.subject),
        owner: Some(session.user_id),
        may_rotate,
    };
    let outcome = registry.mint(&tenant, new, digest).await?;
    let region = &authority.settings().region;
    Ok(created_or_replayed(&outcome, |key, secret| {
        render::key(key, region, secret)
    }))
}

/// `GET /v1/api-keys?workspace_id=…`
pub(super) async fn list(
    State(authority): State<Authority>,
    User(session): User,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Response> {
    let page = page.limited(DEFAULT_PAGE);
    let id = filter.workspace_id.as_deref().ok_or_else(|| {
        ApiError::invalid_field(query("workspace_id"), "field required", "missing")
    })?;
    let id = parse_id(id, "ws_").ok_or_else(|| {
        ApiError::invalid_field(query("workspace_id"), "must be a UUID", "uuid_parsing")
    })?;
    let offset = match filter.offset.as_deref().map(str::parse::<u64>) {
        None => 0,
        Some(Ok(offset)) => offset,
        Some(Err(_)) => {
            let msg = "must be an integer of 0 or more";
            return Err(ApiError::invalid_field(query("offset"), msg, "value_error").into());
        }
    };
    let tenant = workspace(&authority, &session, id).await?;
    let registry = session.registry(&authority);
    let filter = KeyFilter {
        offset,
        ..page.keys(&registry, tenant.id, Provider::Ontora).await?
    };
    let mut keys = registry.key_page(filter).await?;
    authority.key_cache().add_last_use(&mut keys);
    let region = &authority.settings().region;
    let named = |key: &_| ApiKeyInfo {
        workspace_name: Some(tenant.name.clone()),
        ..render::key(key, region, None)
    };
    Ok(page.answer(keys, |key| key.id.to_string(), named))
}

/// `GET /v1/api-keys/{key}`
pub(super) async fn info(
    State(authority): State<Authority>,
    User(session): User,
    Path(id): Path<String>,
) -> Result<Json<ApiKeyInfo>> {
    let key = reached(&authority, &session, &id).await?;
    Ok(shown(&authority, key))
}

/// `GET /v1/api-keys/{key}/usage?hours=…`
pub(super) async fn usage(
    State(authority): State<Authority>,
    User(session): User,
    Path(id): Path<String>,
    Query(query): Query<UsageQuery>,
) -> Result<Json<Value>> {
    let key = reached(&authority, &session, &id).await?;
    let registry = session.registry(&authority);
    let hours = hours(&authority, &registry, key.id, &query).await?;
    Ok(Json(json!({"key_id": key.id.to_string(), "hours": hours})))
}

/// `POST /v1/api-keys/{key}/pause`
pub(super) async fn pause(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(id): Path<String>,
) -> Result<Json<ApiKeyInfo>> {
    let key = reached(&authority, &session, &id).await?;
    let key = session.registry(&authority).pause_key(key.id).await?;
    Ok(shown(&authority, key))
}

/// `POST /v1/api-keys/{key}/resume`
pub(super) async fn resume(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(id): Path<String>,
) -> Result<Json<ApiKeyInfo>> {
    let key = reached(&authority, &session, &id).await?;
    let key = session.registry(&authority).resume_key(key.id).await?;
    Ok(shown(&authority, key))
}

/// `DELETE /v1/api-keys/{key}`
pub(super) async fn revoke(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    let key = reached(&authority, &session, &id).await?;
    let registry = session.registry(&authority);
    registry.revoke_key(key.id).await?;
    let receipt = receipt_header(&registry, key.id).await;
    Ok((StatusCode::NO_CONTENT, receipt, ()))
}

/// `GET /v1/revocations/{key}`: the receipt of a key's revocation, for keys of either provider.
pub(super) async fn receipt(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = key_id(&id)?;
    let none = || ApiError::not_found("Revocation not found");
    let registry = session.registry(&authority);
    let key = registry.find_key(id).await?.ok_or_else(none)?;
    workspace(&authority, &session, key.tenant_id).await?;
    let receipt = registry.receipt(id).await?.ok_or_else(none)?;
    Ok(([(CONTENT_TYPE, "application/json")], receipt).into_response())
}

fn key_id(text: &str) -> Result<Uuid> {
    let invalid = || {
        ApiError::invalid_field(
            ["path".into(), "key_id".into()],
            "must be a UUID",
            "uuid_parsing",
        )
    };
    Ok(parse_id(text, "key_").ok_or_else(invalid)?)
}

/// Returns the key with the id in a path, if it is in the caller's reach.
async fn reached(authority: &Authority, session: &Session, id: &str) -> Result<ApiKeyRecord> {
    let id = key_id(id)?;
    let key = session.registry(authority).find_key(id).await?;
    let key = key
        .filter(|key| key.provider == Provider::Ontora)
        .ok_or_else(|| ApiError::not_found("API key not found"))?;
    workspace(authority, session, key.tenant_id).await?;
    Ok(key)
}

fn shown(authority: &Authority, mut key: ApiKeyRecord) -> Json<ApiKeyInfo> {
    authority
        .key_cache()
        .add_last_use(std::slice::from_mut(&mut key));
    Json(render::key(&key, &authority.settings().region, None))
}

/// Returns the location of a query parameter.
fn query(name: &str) -> [Value; 2] {
    ["query".into(), name.into()]
}

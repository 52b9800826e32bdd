//! Keys of the organisation's workspaces: admins create, list and revoke them.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::workspaces::workspace;
use super::{Result, render};
use crate::http::api_error::ApiError;
use crate::http::authentication::{Admin, User};
use crate::http::created::created_or_replayed;
use crate::http::extract::{IdempotencyKey, Object, Path, Query, parse_id};
use crate::http::fields::{FieldReader, creation_digest};
use crate::http::page::Page;
use crate::http::receipt_header;
use crate::registry::{KeyFilter, NewApiKey};
use crate::server::Authority;
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

/// `DELETE /v1/api-keys/{key}`
pub(super) async fn revoke(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    let id = key_id(&id)?;
    let registry = session.registry(&authority);
    let key = registry.find_key(id).await?;
    let key = key
        .filter(|key| key.provider == Provider::Ontora)
        .ok_or_else(|| ApiError::not_found("API key not found"))?;
    workspace(&authority, &session, key.tenant_id).await?;
    registry.revoke_key(id).await?;
    let receipt = receipt_header(&registry, id).await;
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

/// Returns the location of a query parameter.
fn query(name: &str) -> [Value; 2] {
    ["query".into(), name.into()]
}

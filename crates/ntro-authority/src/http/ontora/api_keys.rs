//! Ontora's keys: an admin makes, lists and revokes those of the organisation's workspaces.

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use crate::http::api_error::ApiError;
use crate::http::extract::{Admin, IdempotencyKey, Object, Path, Query, Session, User, parse_id};
use crate::http::fields::{FieldReader, once};
use crate::http::render;
use crate::registry::NewApiKey;
use crate::registry::{KeyFilter, MintOutcome};
use crate::server::Authority;
use crate::store::{ApiKeyRecord, TenantRecord};
use ntro_base::Provider;
use ntro_base::wire::ontora::ApiKeyInfo;

/// The answer holds a key: nothing on the way may keep it.
pub(crate) const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];
/// The answer is that of an earlier request, without the key.
pub(crate) const REPLAYED: [(HeaderName, &str); 1] =
    [(HeaderName::from_static("idempotency-replayed"), "true")];

const DEFAULT_PAGE: u32 = 100;
const LONGEST_PAGE: u32 = 500;

#[derive(Deserialize)]
pub(crate) struct Page {
    workspace_id: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
}

/// A key as it was when it was made.
pub(crate) fn as_made(key: &ApiKeyRecord) -> ApiKeyRecord {
    ApiKeyRecord {
        last_used_at: None,
        revoked_at: None,
        ..key.clone()
    }
}

/// Returns the workspace, if it is the caller's. Whether there is one that is not is not told.
pub(crate) async fn workspace(
    authority: &Authority,
    session: &Session,
    id: uuid::Uuid,
) -> Result<TenantRecord, ApiError> {
    let registry = session.registry(authority);
    let tenant = registry.find_tenant(&id.to_string()).await?;
    tenant
        .filter(|tenant| session.reaches(tenant))
        .ok_or_else(ApiError::workspace_forbidden)
}

/// `POST /v1/api-keys`
pub(crate) async fn create(
    State(authority): State<Authority>,
    Admin(session): Admin,
    idempotency: IdempotencyKey,
    Object(body): Object,
) -> Result<Response, ApiError> {
    let mut members = FieldReader::of(&body);
    let name = members.key_name();
    let workspace_id = members.text("workspace_id").and_then(|text| {
        let id = parse_id(text, "ws_");
        if id.is_none() {
            members.fault(["workspace_id".into()], "must be a UUID", "uuid_parsing");
        }
        id
    });
    let scopes = members.scopes();
    let expires_in_days = members.days("expires_in_days");
    let may_rotate = members.may_rotate("may_rotate");
    members.only(&[
        "name",
        "workspace_id",
        "scopes",
        "expires_in_days",
        "may_rotate",
    ]);
    members.done()?;
    let (Some(name), Some(workspace_id), Some(scopes), Some(expires_in_days), Some(may_rotate)) =
        (name, workspace_id, scopes, expires_in_days, may_rotate)
    else {
        return Err(ApiError::internal());
    };
    let tenant = workspace(&authority, &session, workspace_id).await?;
    let once = once(idempotency, &session, "POST /v1/api-keys", tenant.id, &body);
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
    let region = &authority.settings().region;
    let minted = registry.mint(&tenant, new, once).await?;
    Ok(match &minted {
        MintOutcome::New(minted) => {
            let body = render::ontora_key(&minted.record, region, Some(&minted.key));
            (StatusCode::CREATED, NO_STORE, Json(body)).into_response()
        }
        MintOutcome::Replayed(key) => {
            let body = render::ontora_key(&as_made(key), region, None);
            (StatusCode::CREATED, REPLAYED, Json(body)).into_response()
        }
    })
}

/// `GET /v1/api-keys?workspace_id=…`
pub(crate) async fn list(
    State(authority): State<Authority>,
    User(session): User,
    Query(page): Query<Page>,
) -> Result<Json<Vec<ApiKeyInfo>>, ApiError> {
    let place = |name: &str| ["query".into(), name.into()];
    let id = page.workspace_id.as_deref().ok_or_else(|| {
        ApiError::invalid_field(place("workspace_id"), "field required", "missing")
    })?;
    let id = parse_id(id, "ws_").ok_or_else(|| {
        ApiError::invalid_field(place("workspace_id"), "must be a UUID", "uuid_parsing")
    })?;
    let limit = match page.limit.as_deref().map(str::parse) {
        None => DEFAULT_PAGE,
        Some(Ok(limit @ 1..=LONGEST_PAGE)) => limit,
        Some(_) => {
            let msg = format!("must be an integer from 1 to {LONGEST_PAGE}");
            return Err(ApiError::invalid_field(place("limit"), msg, "value_error"));
        }
    };
    let offset = match page.offset.as_deref().map(str::parse::<u64>) {
        None => 0,
        Some(Ok(offset)) => offset,
        Some(Err(_)) => {
            let msg = "must be an integer of 0 or more";
            return Err(ApiError::invalid_field(place("offset"), msg, "value_error"));
        }
    };
    let tenant = workspace(&authority, &session, id).await?;
    let filter = KeyFilter {
        tenant: Some(tenant.id),
        provider: Some(Provider::Ontora),
        limit,
        offset,
    };
    let mut keys = session.registry(&authority).key_page(filter).await?;
    authority.key_cache().add_last_use(&mut keys);
    let region = &authority.settings().region;
    Ok(Json(
        keys.iter()
            .map(|key| render::ontora_key(key, region, None))
            .collect(),
    ))
}

/// `DELETE /v1/api-keys/{key}`
pub(crate) async fn revoke(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = parse_id(&id, "key_").ok_or_else(|| {
        ApiError::invalid_field(
            ["path".into(), "key_id".into()],
            "must be a UUID",
            "uuid_parsing",
        )
    })?;
    let registry = session.registry(&authority);
    let key = registry.find_key(id).await?;
    let key = key
        .filter(|key| key.provider == Provider::Ontora)
        .ok_or_else(|| ApiError::not_found("API key not found"))?;
    workspace(&authority, &session, key.tenant_id).await?;
    registry.revoke_key(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

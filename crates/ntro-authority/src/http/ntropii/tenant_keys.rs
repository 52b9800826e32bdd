//! The keys of an Ntropii tenant. These endpoints are the authority's own: Ntropii has none.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::http::api_error::ApiError;
use crate::http::extract::{Admin, Caller, IdempotencyKey, Object, Path, parse_id};
use crate::http::fields::{FieldReader, once};
use crate::http::render;
use crate::registry::MintOutcome;
use crate::registry::NewApiKey;
use crate::server::Authority;
use ntro_base::Provider;
use ntro_base::wire::ntropii::TenantKey;

/// `GET /v1/workspace/tenants/{tenant}/api-keys`
pub(crate) async fn list(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(name): Path<String>,
) -> Result<Json<Vec<TenantKey>>, ApiError> {
    let registry = session.registry(&authority);
    let tenant = Caller::Admin(session).tenant(&authority, &name).await?;
    let mut keys = registry
        .keys(Some(tenant.id), Some(Provider::Ntropii))
        .await?;
    authority.key_cache().add_last_use(&mut keys);
    Ok(Json(
        keys.iter()
            .map(|key| render::ntropii_key(key, None))
            .collect(),
    ))
}

/// `POST /v1/workspace/tenants/{tenant}/api-keys`
pub(crate) async fn create(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(name): Path<String>,
    idempotency: IdempotencyKey,
    Object(body): Object,
) -> Result<Response, ApiError> {
    let caller = Caller::Admin(session);
    let tenant = caller.tenant(&authority, &name).await?;
    let Caller::Admin(session) = caller else {
        return Err(ApiError::internal());
    };
    let mut members = FieldReader::of(&body);
    let name = members.key_name();
    let expires_in_days = members.days("expiresInDays");
    let may_rotate = members.may_rotate("mayRotate");
    members.only(&["name", "expiresInDays", "mayRotate"]);
    members.done()?;
    let (Some(name), Some(expires_in_days), Some(may_rotate)) = (name, expires_in_days, may_rotate)
    else {
        return Err(ApiError::internal());
    };
    let path = "POST /v1/workspace/tenants/{tenant}/api-keys";
    let once = once(idempotency, &session, path, tenant.id, &body);
    let registry = session.registry(&authority);
    let new = NewApiKey {
        provider: Provider::Ntropii,
        environment: None,
        name,
        scopes: Vec::new(),
        expires_in_days,
        created_by: Some(session.subject),
        may_rotate,
    };
    let minted = registry.mint(&tenant, new, once).await?;
    Ok(match &minted {
        MintOutcome::New(minted) => {
            let body = render::ntropii_key(&minted.record, Some(&minted.key));
            (
                StatusCode::CREATED,
                crate::http::ontora::api_keys::NO_STORE,
                Json(body),
            )
                .into_response()
        }
        MintOutcome::Replayed(key) => {
            let body = render::ntropii_key(&crate::http::ontora::api_keys::as_made(key), None);
            (
                StatusCode::CREATED,
                crate::http::ontora::api_keys::REPLAYED,
                Json(body),
            )
                .into_response()
        }
    })
}

/// `DELETE /v1/workspace/tenants/{tenant}/api-keys/{key}`
pub(crate) async fn revoke(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path((tenant, id)): Path<(String, String)>,
) -> Result<Json<TenantKey>, ApiError> {
    let registry = session.registry(&authority);
    let tenant = Caller::Admin(session).tenant(&authority, &tenant).await?;
    let hidden = || ApiError::not_found("API key not found");
    let id = parse_id(&id, "key_").ok_or_else(hidden)?;
    let key = registry.find_key(id).await?;
    key.filter(|key| key.tenant_id == tenant.id && key.provider == Provider::Ntropii)
        .ok_or_else(hidden)?;
    let mut key = registry.revoke_key(id).await?;
    authority
        .key_cache()
        .add_last_use(std::slice::from_mut(&mut key));
    Ok(Json(render::ntropii_key(&key, None)))
}

//! Child keys: a key of either provider creates keys that end with it, for the programs it starts.
//!
//! A child is revoked by its id, or by the idempotency key of the request for it: a client that was
//! killed before it got the answer has no id.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::SignedDuration;

use super::rotation::own_error;
use super::{Result, render};
use crate::http::api_error::ApiError;
use crate::http::authentication::AnyKey;
use crate::http::created::created_or_replayed;
use crate::http::extract::{IdempotencyKey, Object, Path, parse_id};
use crate::http::fields::{FieldReader, own_digest};
use crate::http::ntropii;
use crate::registry::{LONGEST_LIFE_IN_DAYS, NewChild};
use crate::server::Authority;
use ntro_base::Provider;

const LONGEST_LIFE: u32 = LONGEST_LIFE_IN_DAYS * 24 * 60 * 60;
const CREATION: &str = "POST /v1/api-keys/current/children";

/// `POST /v1/api-keys/current/children`
pub(super) async fn create(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    idempotency: IdempotencyKey,
    Object(body): Object,
) -> Result<Response> {
    let mut fields = FieldReader::of(&body);
    let name = fields.optional_key_name();
    let scopes = fields.optional_scopes();
    let seconds = fields.seconds("expires_in_seconds", LONGEST_LIFE);
    fields.only(&["name", "scopes", "expires_in_seconds"]);
    fields.done()?;
    let Some(seconds) = seconds else {
        return Err(ApiError::internal().into());
    };
    let new = NewChild {
        name,
        scopes,
        life: SignedDuration::from_secs(seconds.into()),
    };
    let digest = own_digest(idempotency, key.id, CREATION, Some(&body));
    let registry = authority.registry(key.actor());
    let outcome = registry.create_child(key.id, new, digest).await;
    let life = ["body", "expires_in_seconds"];
    let outcome = outcome.map_err(|error| own_error(error, life))?;
    Ok(match outcome.record().provider {
        Provider::Ntropii => created_or_replayed(&outcome, ntropii::render::key),
        Provider::Ontora => created_or_replayed(&outcome, |key, secret| {
            render::key(key, &authority.settings().region, secret)
        }),
    })
}

/// `DELETE /v1/api-keys/current/children/{child}`
pub(super) async fn revoke(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let id = parse_id(&id, "key_").ok_or_else(|| ApiError::not_found("API key not found"))?;
    let registry = authority.registry(key.actor());
    registry.revoke_child(key.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/api-keys/current/children`: revokes the child of the request that the idempotency key
/// names, and keeps that request from creating one later.
pub(super) async fn cancel(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    idempotency: IdempotencyKey,
) -> Result<StatusCode> {
    let digest = own_digest(idempotency, key.id, CREATION, None).ok_or_else(|| {
        ApiError::invalid_field(
            ["header".into(), "idempotency-key".into()],
            "field required",
            "missing",
        )
    })?;
    let registry = authority.registry(key.actor());
    registry.cancel_child(key.id, digest).await?;
    Ok(StatusCode::NO_CONTENT)
}

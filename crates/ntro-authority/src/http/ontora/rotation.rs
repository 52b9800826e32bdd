//! Rotation: a key of either provider creates its successor, and one of the two revokes the other.
//!
//! A successor is pending until it has revoked its predecessor. A key has at most one pending
//! successor, which is revoked with it. So a client that was killed in mid-rotation leaves no unused
//! key behind if it returns before the key expires. A successor does not expire with its
//! predecessor: the client may have stored either of the two, and the authority does not know which.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Result, render};
use crate::error::Error;
use crate::http::api_error::ApiError;
use crate::http::authentication::AnyKey;
use crate::http::created::created;
use crate::http::extract::IdempotencyKey;
use crate::http::fields::own_digest;
use crate::http::ntropii;
use crate::server::Authority;
use ntro_base::Provider;

const ROTATION: &str = "POST /v1/api-keys/current/rotate";

/// `POST /v1/api-keys/current/rotate`
pub(super) async fn rotate(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    idempotency: IdempotencyKey,
) -> Result<Response> {
    let digest = own_digest(idempotency, key.id, ROTATION, None);
    let registry = authority.registry(key.actor());
    let minted = registry.create_successor(key.id, digest).await;
    let minted = minted.map_err(own_error)?;
    Ok(match minted.record.provider {
        Provider::Ntropii => created(&minted, ntropii::render::key),
        Provider::Ontora => created(&minted, |key, secret| {
            render::key(key, &authority.settings().region, secret)
        }),
    })
}

/// `DELETE /v1/api-keys/current/successor`: the old key undoes the rotation.
pub(super) async fn revoke_successor(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    idempotency: IdempotencyKey,
) -> Result<StatusCode> {
    let digest = own_digest(idempotency, key.id, ROTATION, None);
    let registry = authority.registry(key.actor());
    registry.revoke_successor(key.id, digest).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/api-keys/current/predecessor`: the new key completes the rotation.
pub(super) async fn revoke_predecessor(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
) -> Result<StatusCode> {
    let registry = authority.registry(key.actor());
    let revoked = registry.revoke_predecessor(key.id).await;
    revoked.map_err(own_error)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns 401 for a key that was revoked after its verification, as for one revoked before.
pub(super) fn own_error(error: Error) -> ApiError {
    match error {
        Error::NoKey { .. } => ApiError::unauthenticated(),
        error => error.into(),
    }
}

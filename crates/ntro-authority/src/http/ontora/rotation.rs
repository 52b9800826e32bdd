//! A key of either provider mints its successor, and ends the one or the other of the two.
//!
//! These endpoints are the authority's own. A successor is pending until it has ended its
//! predecessor. A key has one pending successor at most, which is revoked with it; so a client that
//! was killed half way leaves no key behind that nobody holds, whatever it had got to, if it comes
//! back before the key expires. A successor does not expire with its predecessor: the client may
//! have stored it already, and which of the two it holds, nobody knows here.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::error::Error;
use crate::http::api_error::ApiError;
use crate::http::extract::{IdempotencyKey, OwnKey};
use crate::http::fields::attempt;
use crate::http::ontora::api_keys::NO_STORE;
use crate::http::render;
use crate::server::Authority;
use ntro_base::Provider;

/// `POST /v1/api-keys/current/rotate`
pub(crate) async fn rotate(
    State(authority): State<Authority>,
    OwnKey(key): OwnKey,
    idempotency: IdempotencyKey,
) -> Result<Response, ApiError> {
    let once = attempt(idempotency, key.id);
    let minted = authority
        .registry(key.actor())
        .create_successor(key.id, once)
        .await;
    let minted = minted.map_err(rotation_error)?;
    let (record, secret) = (&minted.record, Some(&minted.key));
    Ok(match record.provider {
        Provider::Ntropii => {
            let body = render::ntropii_key(record, secret);
            (StatusCode::CREATED, NO_STORE, Json(body)).into_response()
        }
        Provider::Ontora => {
            let body = render::ontora_key(record, &authority.settings().region, secret);
            (StatusCode::CREATED, NO_STORE, Json(body)).into_response()
        }
    })
}

/// `DELETE /v1/api-keys/current/successor`: the old key takes the rotation back.
pub(crate) async fn revoke_successor(
    State(authority): State<Authority>,
    OwnKey(key): OwnKey,
    idempotency: IdempotencyKey,
) -> Result<StatusCode, ApiError> {
    let once = attempt(idempotency, key.id);
    authority
        .registry(key.actor())
        .revoke_successor(key.id, once)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/api-keys/current/predecessor`: the new key completes the rotation.
pub(crate) async fn revoke_predecessor(
    State(authority): State<Authority>,
    OwnKey(key): OwnKey,
) -> Result<StatusCode, ApiError> {
    let revoked = authority
        .registry(key.actor())
        .revoke_predecessor(key.id)
        .await;
    revoked
        .map(|()| StatusCode::NO_CONTENT)
        .map_err(rotation_error)
}

/// A key that was revoked after it was verified is rotation_error the same as one that was revoked before.
fn rotation_error(error: Error) -> ApiError {
    match error {
        Error::NoKey { .. } => ApiError::unauthenticated(),
        error => error.into(),
    }
}

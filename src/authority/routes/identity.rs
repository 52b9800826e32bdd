//! Who is the key? In both dialects, out of memory alone.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use bytes::Bytes;

use crate::authority::api_error::ApiError;
use crate::authority::extract::{NtropiiKey, OntoraKey, OwnKey};
use crate::authority::server::Authority;

type Introduction = ([(HeaderName, &'static str); 2], Bytes);

fn introduction(body: &Bytes) -> Introduction {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, body.clone())
}

/// `GET /v1/me`
pub(super) async fn me(NtropiiKey(key): NtropiiKey) -> Introduction {
    introduction(&key.introduction)
}

/// `GET /v1/api-keys/current`
pub(super) async fn current(OntoraKey(key): OntoraKey) -> Introduction {
    introduction(&key.introduction)
}

/// `DELETE /v1/api-keys/current`: a key of either provider revokes itself.
pub(super) async fn revoke_current(
    State(authority): State<Authority>,
    OwnKey(key): OwnKey,
) -> Result<StatusCode, ApiError> {
    authority.books().revoke_key(key.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

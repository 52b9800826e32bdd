//! Who is the key? In both dialects, out of memory alone.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use super::api_error::ApiError;
use super::extract::{NtropiiKey, OntoraKey, OwnKey};
use super::service::Head;
use crate::server::Authority;
use crate::verify::CachedKey;

/// `GET /v1/me`
pub(crate) const ME: &str = "/v1/me";
/// `GET /v1/api-keys/current`
pub(crate) const CURRENT: &str = "/v1/api-keys/current";

/// Answers the two requests that a busy authority gets all day, and leaves all others.
///
/// They wait for nothing, so neither a future nor the router's boxes are made for them.
pub(crate) fn fast_path(
    authority: &Authority,
    head: &Head<'_>,
) -> Option<Result<Response, ApiError>> {
    if *head.method != Method::GET {
        return None;
    }
    match head.path {
        ME => Some(
            NtropiiKey::fast_path(authority, head).map(|NtropiiKey(key)| identity_response(&key)),
        ),
        CURRENT => Some(
            OntoraKey::fast_path(authority, head).map(|OntoraKey(key)| identity_response(&key)),
        ),
        _ => None,
    }
}

fn identity_response(key: &CachedKey) -> Response {
    let body = Bytes::copy_from_slice(&key.identity_response);
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What [`fast path`] leaves of [`ME`]: `HEAD`.
pub(crate) async fn me(NtropiiKey(key): NtropiiKey) -> Response {
    identity_response(&key)
}

/// What [`fast path`] leaves of [`CURRENT`]: `HEAD`.
pub(crate) async fn current(OntoraKey(key): OntoraKey) -> Response {
    identity_response(&key)
}

/// `DELETE /v1/api-keys/current`: a key of either provider revokes itself.
pub(crate) async fn revoke_current(
    State(authority): State<Authority>,
    OwnKey(key): OwnKey,
) -> Result<StatusCode, ApiError> {
    authority.registry(key.actor()).revoke_key(key.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

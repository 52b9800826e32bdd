//! Who is the key? In both dialects, out of memory alone.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use crate::authority::api_error::ApiError;
use crate::authority::extract::{NtropiiKey, OntoraKey, OwnKey};
use crate::authority::front::Head;
use crate::authority::server::Authority;
use crate::authority::table::LiveKey;

/// `GET /v1/me`
pub(super) const ME: &str = "/v1/me";
/// `GET /v1/api-keys/current`
pub(super) const CURRENT: &str = "/v1/api-keys/current";

/// Answers the two requests that a busy authority gets all day, and leaves all others.
///
/// They wait for nothing, so neither a future nor the router's boxes are made for them.
pub(in crate::authority) fn at_once(
    authority: &Authority,
    head: &Head<'_>,
) -> Option<Result<Response, ApiError>> {
    if *head.method != Method::GET {
        return None;
    }
    match head.path {
        ME => Some(NtropiiKey::at_once(authority, head).map(|NtropiiKey(key)| introduction(&key))),
        CURRENT => {
            Some(OntoraKey::at_once(authority, head).map(|OntoraKey(key)| introduction(&key)))
        }
        _ => None,
    }
}

fn introduction(key: &LiveKey) -> Response {
    let body = Bytes::copy_from_slice(&key.introduction);
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What [`at_once`] leaves of [`ME`]: `HEAD`.
pub(super) async fn me(NtropiiKey(key): NtropiiKey) -> Response {
    introduction(&key)
}

/// What [`at_once`] leaves of [`CURRENT`]: `HEAD`.
pub(super) async fn current(OntoraKey(key): OntoraKey) -> Response {
    introduction(&key)
}

/// `DELETE /v1/api-keys/current`: a key of either provider revokes itself.
pub(super) async fn revoke_current(
    State(authority): State<Authority>,
    OwnKey(key): OwnKey,
) -> Result<StatusCode, ApiError> {
    authority.books().revoke_key(key.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! The fast path: responses that the key cache holds, sent without the routes.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use super::api_error::ErrorResponse;
use super::authentication::ProviderKey;
use super::dialect::Dialect;
use super::ntropii::{self, Ntropii};
use super::ontora::{self, Ontora};
use super::own::{AUTHORIZE, authorize};
use super::service::Head;
use crate::server::Authority;
use crate::store::ApiKeyRecord;
use crate::verify::{CachedKey, CachedTenant};
use ntro_base::Provider;

/// Every endpoint with a cached response.
const ENDPOINTS: [CachedEndpoint; 2] = [
    CachedEndpoint::of::<Ntropii>(),
    CachedEndpoint::of::<Ontora>(),
];

/// An endpoint whose response depends on the key alone, so that the key cache holds it.
struct CachedEndpoint {
    path: &'static str,
    respond: fn(&Authority, &Head<'_>) -> Response,
}

impl CachedEndpoint {
    const fn of<D: Dialect>() -> Self {
        Self {
            path: D::IDENTITY,
            respond: respond::<D>,
        }
    }
}

/// Answers a `GET` of a cached response and the questions of gateways, which wait for nothing; leaves
/// all else to the routes.
pub(crate) fn fast_path(authority: &Authority, head: &Head<'_>) -> Option<Response> {
    if head.path == AUTHORIZE {
        return Some(authorize(authority, head));
    }
    if *head.method != Method::GET {
        return None;
    }
    let endpoint = ENDPOINTS.iter().find(|one| one.path == head.path)?;
    Some((endpoint.respond)(authority, head))
}

fn respond<D: Dialect>(authority: &Authority, head: &Head<'_>) -> Response {
    match ProviderKey::verify::<D>(authority, head) {
        Ok(ProviderKey(key)) => response(&key),
        Err(error) => ErrorResponse::<D>::from(error).into_response(),
    }
}

/// Answers the identity requests that the fast path leaves to the routes, such as `HEAD`.
pub(crate) async fn identity(ProviderKey(key): ProviderKey) -> Response {
    response(&key)
}

fn response(key: &CachedKey) -> Response {
    let body = Bytes::copy_from_slice(&key.identity_response);
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Renders the response to the identity request of the key's provider.
pub(crate) fn identity_response(
    key: &ApiKeyRecord,
    tenant: &CachedTenant,
    region: &str,
) -> Box<[u8]> {
    let body = match key.provider {
        Provider::Ntropii => serde_json::to_vec(&ntropii::render::profile(key, tenant)),
        Provider::Ontora => ontora::render::identity(key, tenant, region),
    };
    // Strings and numbers always serialize.
    body.unwrap_or_default().into()
}

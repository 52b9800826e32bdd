//! `/v1/authorize`: may this key use this scope on this tenant?
//!
//! A gateway asks before it lets a request through, with the request's credentials. The response is
//! built from the entry of the key cache, in one buffer.

use std::io::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::Serialize;
use uuid::Uuid;

use super::MergedShape;
use super::question::{ClientRequest, Question};
use crate::http::api_error::{ApiError, ErrorResponse};
use crate::http::authentication::AnyKey;
use crate::http::ontora::Ontora;
use crate::http::service::Head;
use crate::lease::Lease;
use crate::registry::ISSUER;
use crate::server::Authority;
use crate::verify::CachedKey;
use ntro_base::Scope;

/// The path of the endpoint.
pub(crate) const AUTHORIZE: &str = "/v1/authorize";

/// The `aud` of signed identities.
const AUDIENCE: &str = "urn:ntro:identity";
/// The life of signed identities, in seconds.
const LIFE: i64 = 10;

/// Writes the value of an identity header.
type Write = fn(&CachedKey, &mut Vec<u8>);

/// The headers of every answer that allows a request, empty where there is nothing to say: a gateway
/// that copies only the headers that it gets would let a client's own through.
const IDENTITY_HEADERS: [(HeaderName, Write); 6] = [
    (HeaderName::from_static("x-ntro-tenant"), |key, text| {
        text.extend_from_slice(key.tenant.slug.as_bytes());
    }),
    (HeaderName::from_static("x-ntro-tenant-id"), |key, text| {
        write_id(key.tenant.id, text);
    }),
    (HeaderName::from_static("x-ntro-key-id"), |key, text| {
        write_id(key.id, text);
    }),
    (HeaderName::from_static("x-ntro-scopes"), |key, text| {
        write_scopes(key, text);
    }),
    (HeaderName::from_static("x-ntro-provider"), |key, text| {
        text.extend_from_slice(key.provider.as_str().as_bytes());
    }),
    (HeaderName::from_static("x-ntro-expires-at"), |key, text| {
        if let Some(at) = key.expires_at() {
            // A time of the registry, and a buffer that grows: nothing fails.
            let _ = DateTimePrinter::new().print_timestamp(&at, text);
        }
    }),
];
const IDENTITY: HeaderName = HeaderName::from_static("x-ntro-identity");
/// The milliseconds for which the answer may be used again: the rest of the lease.
const VALID_FOR: HeaderName = HeaderName::from_static("x-ntro-valid-for");

const NOTHING: HeaderValue = HeaderValue::from_static("");
/// The length of all identity headers of a key with two scopes and an expiry.
const TYPICAL_LENGTH: usize = 192;
/// Room for all headers, the request's id included.
const MOST_HEADERS: usize = 12;

/// Answers a question of a gateway, without waiting.
pub(crate) fn authorize(authority: &Authority, head: &Head<'_>) -> Response {
    match decide(authority, head) {
        Ok(response) => response,
        Err(error) => ErrorResponse::<MergedShape>::from(error).into_response(),
    }
}

/// Answers the questions that the fast path leaves to the routes.
pub(super) async fn route(State(authority): State<Authority>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    authorize(&authority, &Head::from(&parts))
}

fn decide(authority: &Authority, head: &Head<'_>) -> Result<Response, ApiError> {
    let question = Question::read(head)?;
    let request = question.bound_to(head)?;
    // `X-API-Key` decides if it is present, `Authorization` otherwise.
    let lease = authority.key_cache().lease();
    // Before the look-up: a later lease says nothing about it.
    let end = lease.map(Lease::end);
    let AnyKey(key) = AnyKey::verify_if::<Ontora, _>(authority, head, |key| question.check(key))?;
    let identity = match request {
        None => NOTHING,
        Some(request) => signed_identity(authority, &key, &request)?,
    };
    let valid_for = lease
        .zip(end)
        .map_or(Duration::ZERO, |(lease, end)| lease.until(end));
    Ok(allowed(&key, identity, valid_for))
}

fn allowed(key: &CachedKey, identity: HeaderValue, valid_for: Duration) -> Response {
    let mut text = Vec::with_capacity(TYPICAL_LENGTH);
    let ranges = IDENTITY_HEADERS.map(|(name, write)| {
        let start = text.len();
        write(key, &mut text);
        (name, start..text.len())
    });
    let start = text.len();
    // A buffer that grows: nothing fails.
    let _ = write!(text, "{}", valid_for.as_millis());
    let valid_for = (VALID_FOR, start..text.len());
    let text = Bytes::from(text);
    let mut headers = HeaderMap::with_capacity(MOST_HEADERS);
    for (name, range) in ranges.into_iter().chain([valid_for]) {
        let value = HeaderValue::from_maybe_shared(text.slice(range));
        headers.insert(name, value.unwrap_or(NOTHING));
    }
    headers.insert(IDENTITY, identity);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = headers;
    response
}

fn write_id(id: Uuid, text: &mut Vec<u8>) {
    let mut buffer = Uuid::encode_buffer();
    let id = id.hyphenated().encode_lower(&mut buffer);
    text.extend_from_slice(id.as_bytes());
}

/// Writes the scopes as OAuth does, with spaces between them.
fn write_scopes(key: &CachedKey, text: &mut Vec<u8>) {
    for (index, scope) in key.scopes.iter().enumerate() {
        if index > 0 {
            text.push(b' ');
        }
        text.extend_from_slice(scope.as_str().as_bytes());
    }
}

/// The claims of a signed identity.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'static str,
    sub: String,
    iat: i64,
    exp: i64,
    method: &'a str,
    host: &'a str,
    path: &'a str,
    tenant: &'a str,
    tenant_id: String,
    provider: &'static str,
    scope: String,
}

fn signed_identity(
    authority: &Authority,
    key: &CachedKey,
    request: &ClientRequest<'_>,
) -> Result<HeaderValue, ApiError> {
    let now = Timestamp::now().as_second();
    let end = key.expires_at().map_or(i64::MAX, Timestamp::as_second);
    let claims = Claims {
        iss: ISSUER,
        aud: AUDIENCE,
        sub: key.id.to_string(),
        iat: now,
        exp: end.min(now + LIFE),
        method: request.method,
        host: request.host,
        path: request.path,
        tenant: &key.tenant.slug,
        tenant_id: key.tenant.id.to_string(),
        provider: key.provider.as_str(),
        scope: scope_text(key),
    };
    let token = authority.identity_key().sign(&claims)?;
    HeaderValue::try_from(token).map_err(|_| ApiError::internal())
}

/// Returns the scopes as OAuth writes them, with spaces between them.
pub(super) fn scope_text(key: &CachedKey) -> String {
    let scopes: Vec<_> = key.scopes.iter().map(Scope::as_str).collect();
    scopes.join(" ")
}

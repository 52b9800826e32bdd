use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::MergedShape;
use crate::http::api_error::{ApiError, ErrorResponse, ErrorShape as _};
use crate::server::Authority;

/// `GET /healthz`
pub(super) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// `GET /readyz`
///
/// Names every part, in a body that clients of both providers understand as an error too.
pub(super) async fn ready(State(authority): State<Authority>) -> Response {
    let parts: Map<String, Value> = authority
        .parts()
        .into_iter()
        .map(|part| (part.name.to_owned(), part.failure.unwrap_or("ok").into()))
        .collect();
    if authority.is_ready() {
        return Json(json!({"status": "ready", "parts": parts})).into_response();
    }
    let mut refused = ErrorResponse::<MergedShape>::from(ApiError::unavailable()).into_response();
    let (_, body) = MergedShape::render(ApiError::unavailable());
    // The shape is a JSON object.
    let mut body: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    body.insert("status".to_owned(), "unavailable".into());
    body.insert("parts".to_owned(), parts.into());
    *refused.body_mut() = Body::from(Value::from(body).to_string());
    refused.headers_mut().remove(CONTENT_LENGTH);
    refused
}

/// `GET /.well-known/jwks.json`
pub(super) async fn jwks(State(authority): State<Authority>) -> Json<Value> {
    Json(authority.jwks())
}

/// `GET /.well-known/ntro-audit.json`: the public key of the audit logs. It is not in the key set of
/// the built-in issuer, because it must sign no token.
pub(super) async fn audit_jwks(State(authority): State<Authority>) -> Json<Value> {
    Json(authority.audit_jwks())
}

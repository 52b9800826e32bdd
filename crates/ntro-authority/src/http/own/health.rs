use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::MergedShape;
use crate::http::api_error::{ApiError, ErrorResponse, ErrorShape as _};
use crate::lease::ClockSource;
use crate::server::Authority;
use crate::store::Replication;

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
    let replication = authority.replication().map(|one| replication(&one));
    if authority.is_ready() {
        let mut body = json!({"status": "ready", "parts": parts});
        if let Some(replication) = replication {
            body["replication"] = replication;
        }
        return Json(body).into_response();
    }
    let mut refused = ErrorResponse::<MergedShape>::from(ApiError::unavailable()).into_response();
    let (_, body) = MergedShape::render(ApiError::unavailable());
    // The shape is a JSON object.
    let mut body: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    body.insert("status".to_owned(), "unavailable".into());
    body.insert("parts".to_owned(), parts.into());
    if let Some(replication) = replication {
        body.insert("replication".to_owned(), replication);
    }
    *refused.body_mut() = Body::from(Value::from(body).to_string());
    refused.headers_mut().remove(CONTENT_LENGTH);
    refused
}

/// Describes the state of this process among those that serve the database, and that of the
/// database; null for what is unknown.
fn replication(replication: &Replication) -> Value {
    let report = replication.report;
    let millis = u64::try_from(replication.lease.as_millis()).unwrap_or(u64::MAX);
    json!({
        "lease_milliseconds": millis,
        "clock_source": ClockSource::read().map(|source| source.name().to_owned()),
        "notifications": report.map(|report| report.notifications),
        "standbys": report.map(|report| report.standbys.as_str()),
        "standby_lag_bytes": report.and_then(|report| report.standby_lag),
    })
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

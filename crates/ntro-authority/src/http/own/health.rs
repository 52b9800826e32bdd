use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::MergedShape;
use crate::http::api_error::{ApiError, ErrorResponse};
use crate::server::Authority;

/// `GET /healthz`
pub(super) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// `GET /readyz`
pub(super) async fn ready(
    State(authority): State<Authority>,
) -> Result<Json<Value>, ErrorResponse<MergedShape>> {
    if authority.is_ready() {
        Ok(Json(json!({"status": "ready"})))
    } else {
        Err(ApiError::unavailable().into())
    }
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

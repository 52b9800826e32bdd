//! Is the server alive, should it get requests, and which tokens are its own?

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::api_error::ApiError;
use crate::server::Authority;

pub(super) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

pub(super) async fn ready(State(authority): State<Authority>) -> Result<Json<Value>, ApiError> {
    if authority.is_ready() {
        Ok(Json(json!({"status": "ready"})))
    } else {
        Err(ApiError::unavailable())
    }
}

pub(super) async fn jwks(State(authority): State<Authority>) -> Json<Value> {
    Json(authority.registry().jwks())
}

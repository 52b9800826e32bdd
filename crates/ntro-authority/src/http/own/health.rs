//! Is the server alive, should it get requests, and which tokens are its own?

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::http::api_error::ApiError;
use crate::server::Authority;

pub(crate) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

pub(crate) async fn ready(State(authority): State<Authority>) -> Result<Json<Value>, ApiError> {
    if authority.is_ready() {
        Ok(Json(json!({"status": "ready"})))
    } else {
        Err(ApiError::unavailable())
    }
}

pub(crate) async fn jwks(State(authority): State<Authority>) -> Json<Value> {
    Json(authority.jwks())
}

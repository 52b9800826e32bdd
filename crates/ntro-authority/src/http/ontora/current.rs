use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::Result;
use crate::http::authentication::AnyKey;
use crate::http::receipt_header;
use crate::server::Authority;

/// `DELETE /v1/api-keys/current`: a key of either provider revokes itself.
pub(super) async fn revoke(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
) -> Result<impl IntoResponse> {
    let registry = authority.registry(key.actor());
    registry.revoke_key(key.id).await?;
    let receipt = receipt_header(&registry, key.id).await;
    Ok((StatusCode::NO_CONTENT, receipt, ()))
}

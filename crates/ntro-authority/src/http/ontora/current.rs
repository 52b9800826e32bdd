use axum::extract::State;
use axum::http::StatusCode;

use super::Result;
use crate::http::authentication::AnyKey;
use crate::server::Authority;

/// `DELETE /v1/api-keys/current`: a key of either provider revokes itself.
pub(super) async fn revoke(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
) -> Result<StatusCode> {
    authority.registry(key.actor()).revoke_key(key.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

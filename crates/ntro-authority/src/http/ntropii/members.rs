//! The people of the organisation. Ntropii itself has no such endpoints.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Result;
use crate::http::api_error::ApiError;
use crate::http::authentication::Admin;
use crate::http::extract::Path;
use crate::server::Authority;

/// `DELETE /v1/workspace/members/{user}/api-keys`: revokes the keys of both providers that a user has
/// in all tenants of the organisation.
pub(super) async fn revoke_keys(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(user): Path<String>,
) -> Result<Json<Value>> {
    let organisation = session.organisation.as_ref();
    let organisation = organisation.ok_or_else(ApiError::workspace_forbidden)?;
    let registry = session.registry(&authority);
    let revoked = registry.revoke_keys_of(organisation.id, None, &user);
    let ids: Vec<_> = revoked.await?.iter().map(Uuid::to_string).collect();
    Ok(Json(json!({"revoked": ids})))
}

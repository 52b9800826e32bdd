//! The key cache of contents: every path of both dialects on one listener.

mod api_keys;
mod body;
mod health;
mod identity;
mod rotation;
mod tenant_keys;
mod tenants;
mod workspaces;

use axum::Router;
use axum::routing::{delete, get, post};

use super::api_error::ApiError;
use super::server::Authority;

pub(super) use identity::fast_path;

/// Returns every route.
pub(super) fn all() -> Router<Authority> {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/.well-known/jwks.json", get(health::jwks))
        // Ntropii
        .route(identity::ME, get(identity::me))
        .route(
            "/v1/workspace/tenants",
            get(tenants::list).post(tenants::create),
        )
        .route(
            "/v1/workspace/tenants/{tenant}",
            get(tenants::info)
                .patch(tenants::update)
                .delete(tenants::deprovision),
        )
        .route(
            "/v1/workspace/tenants/{tenant}/api-keys",
            get(tenant_keys::list).post(tenant_keys::create),
        )
        .route(
            "/v1/workspace/tenants/{tenant}/api-keys/{key}",
            delete(tenant_keys::revoke),
        )
        // Ontora
        .route("/v1/api-keys", get(api_keys::list).post(api_keys::create))
        .route(
            identity::CURRENT,
            get(identity::current).delete(identity::revoke_current),
        )
        .route("/v1/api-keys/{key}", delete(api_keys::revoke))
        // Either provider's keys, on themselves
        .route("/v1/api-keys/current/rotate", post(rotation::rotate))
        .route(
            "/v1/api-keys/current/successor",
            delete(rotation::revoke_successor),
        )
        .route(
            "/v1/api-keys/current/predecessor",
            delete(rotation::revoke_predecessor),
        )
        .route("/v1/workspaces", get(workspaces::list))
        .route(
            "/v1/workspaces/{workspace}/members",
            get(workspaces::members),
        )
        .fallback(async || ApiError::not_found("Not found"))
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
}

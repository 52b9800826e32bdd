//! The key cache of contents: every path of both dialects on one listener.

use axum::Router;
use axum::routing::{delete, get, post};

use super::api_error::ApiError;
use crate::server::Authority;

use super::identity;
use super::ntropii::{tenant_keys, tenants};
use super::ontora::{api_keys, rotation, workspaces};
use super::own::health;
use super::service::AuthorityService;

/// Returns everything that the authority answers, to be served by other means than [`serve`].
pub fn router(authority: Authority) -> Router {
    Router::new().fallback_service(service(authority))
}

pub(crate) fn service(authority: Authority) -> AuthorityService {
    let routes = all().with_state(authority.clone());
    AuthorityService::new(routes).with_fast_path(move |head| identity::fast_path(&authority, head))
}

/// Returns every route.
fn all() -> Router<Authority> {
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

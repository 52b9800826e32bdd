use axum::Router;
use axum::routing::{delete, get, post};

use super::{Ntropii, audit, members, policy, tenant_keys, tenants};
use crate::http::cached::identity;
use crate::http::dialect::{Dialect as _, claim, shaped};
use crate::server::Authority;

/// Returns the routes of Ntropii's dialect.
pub(crate) fn router(authority: &Authority) -> Router {
    let routes = Router::new()
        .route(Ntropii::IDENTITY, get(identity))
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
            get(tenant_keys::info).delete(tenant_keys::revoke),
        )
        .route(
            "/v1/workspace/tenants/{tenant}/api-keys/{key}/usage",
            get(tenant_keys::usage),
        )
        .route(
            "/v1/workspace/tenants/{tenant}/api-keys/{key}/pause",
            post(tenant_keys::pause),
        )
        .route(
            "/v1/workspace/tenants/{tenant}/api-keys/{key}/resume",
            post(tenant_keys::resume),
        )
        .route(
            "/v1/workspace/tenants/{tenant}/policy",
            get(policy::show).put(policy::replace),
        )
        .route(
            "/v1/workspace/tenants/{tenant}/audit/checkpoint",
            get(audit::tenant_checkpoint),
        )
        .route(
            "/v1/workspace/tenants/{tenant}/audit/tile/{*tile}",
            get(audit::tenant_tile),
        )
        .route(
            "/v1/workspace/members/{user}/api-keys",
            delete(members::revoke_keys),
        )
        .route(
            "/v1/workspace/audit/checkpoint",
            get(audit::organisation_checkpoint),
        )
        .route(
            "/v1/workspace/audit/tile/{*tile}",
            get(audit::organisation_tile),
        );
    let routes = claim::<Ntropii, _>(routes, "/v1/me");
    let routes = claim::<Ntropii, _>(routes, "/v1/workspace");
    shaped::<Ntropii, _>(routes).with_state(Ntropii(authority.clone()))
}

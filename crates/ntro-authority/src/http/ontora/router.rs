use axum::Router;
use axum::routing::{delete, get, post};

use super::{Ontora, api_keys, children, current, policy, rotation, tripwires, workspaces};
use crate::http::cached::identity;
use crate::http::dialect::{Dialect as _, claim, shaped};
use crate::server::Authority;

/// Returns the routes of Ontora's dialect.
pub(crate) fn router(authority: &Authority) -> Router {
    let routes = Router::new()
        .route("/v1/api-keys", get(api_keys::list).post(api_keys::create))
        .route(
            "/v1/api-keys/{key}",
            get(api_keys::info).delete(api_keys::revoke),
        )
        .route("/v1/api-keys/{key}/usage", get(api_keys::usage))
        .route("/v1/api-keys/{key}/pause", post(api_keys::pause))
        .route("/v1/api-keys/{key}/resume", post(api_keys::resume))
        .route("/v1/revocations/{key}", get(api_keys::receipt))
        .route(Ontora::IDENTITY, get(identity).delete(current::revoke))
        .route("/v1/api-keys/current/rotate", post(rotation::rotate))
        .route(
            "/v1/api-keys/current/successor",
            delete(rotation::revoke_successor),
        )
        .route(
            "/v1/api-keys/current/predecessor",
            get(rotation::predecessor)
                .put(rotation::end_when_quiet)
                .delete(rotation::revoke_predecessor),
        )
        .route(
            "/v1/api-keys/current/children",
            post(children::create).delete(children::cancel),
        )
        .route(
            "/v1/api-keys/current/children/{child}",
            delete(children::revoke),
        )
        .route("/v1/api-keys/current/tripwires", post(tripwires::create))
        .route("/v1/workspaces", get(workspaces::list))
        .route(
            "/v1/workspaces/{workspace}/members",
            get(workspaces::members),
        )
        .route(
            "/v1/workspaces/{workspace}/members/{user}/api-keys",
            delete(workspaces::revoke_keys),
        )
        .route(
            "/v1/workspaces/{workspace}/policy",
            get(policy::show).put(policy::replace),
        );
    let routes = claim::<Ontora, _>(routes, "/v1/api-keys");
    let routes = claim::<Ontora, _>(routes, "/v1/workspaces");
    let routes = claim::<Ontora, _>(routes, "/v1/revocations");
    shaped::<Ontora, _>(routes).with_state(Ontora(authority.clone()))
}

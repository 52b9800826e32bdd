use axum::Router;
use axum::routing::{delete, get, post};

use super::{Ontora, api_keys, children, current, rotation, tripwires, workspaces};
use crate::http::cached::identity;
use crate::http::dialect::{Dialect as _, claim, shaped};
use crate::server::Authority;

/// Returns the routes of Ontora's dialect.
pub(crate) fn router(authority: &Authority) -> Router {
    let routes = Router::new()
        .route("/v1/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/v1/api-keys/{key}", delete(api_keys::revoke))
        .route("/v1/revocations/{key}", get(api_keys::receipt))
        .route(Ontora::IDENTITY, get(identity).delete(current::revoke))
        .route("/v1/api-keys/current/rotate", post(rotation::rotate))
        .route(
            "/v1/api-keys/current/successor",
            delete(rotation::revoke_successor),
        )
        .route(
            "/v1/api-keys/current/predecessor",
            delete(rotation::revoke_predecessor),
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
        );
    let routes = claim::<Ontora, _>(routes, "/v1/api-keys");
    let routes = claim::<Ontora, _>(routes, "/v1/workspaces");
    let routes = claim::<Ontora, _>(routes, "/v1/revocations");
    shaped::<Ontora, _>(routes).with_state(Ontora(authority.clone()))
}

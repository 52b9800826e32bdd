use axum::Router;
use axum::routing::get;

use super::MergedShape;
use super::health;
use crate::http::dialect::{not_found, shaped};
use crate::server::Authority;

/// Returns the routes that belong to no dialect, and the fallback for all other paths.
pub(crate) fn router(authority: &Authority) -> Router {
    let routes = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/.well-known/jwks.json", get(health::jwks))
        .fallback(not_found::<MergedShape>);
    shaped::<MergedShape, _>(routes).with_state(authority.clone())
}

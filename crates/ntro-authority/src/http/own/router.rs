use axum::Router;
use axum::routing::{any, get, post};

use super::{MergedShape, authorize, health, introspect, leaks, metrics, openapi};
use crate::http::dialect::{not_found, shaped};
use crate::server::Authority;

/// Returns the routes that belong to no dialect, and the fallback for all other paths; with
/// `has_metrics`, those for callers on this machine too.
pub(crate) fn router(authority: &Authority, has_metrics: bool) -> Router {
    let routes = if has_metrics {
        Router::new().route("/metrics", get(metrics::local))
    } else {
        Router::new()
    };
    let routes = routes
        .route("/healthz", get(health::alive))
        .route("/openapi.json", get(openapi::openapi))
        .route("/readyz", get(health::ready))
        .route("/.well-known/jwks.json", get(health::jwks))
        .route(authorize::AUTHORIZE, any(authorize::route))
        .route("/v1/introspect", post(introspect::introspect))
        .route("/v1/leaks", post(leaks::report))
        .route("/v1/leaks/github", post(leaks::report_of_github))
        .route("/.well-known/ntro-audit.json", get(health::audit_jwks))
        .fallback(not_found::<MergedShape>);
    shaped::<MergedShape, _>(routes).with_state(authority.clone())
}

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::MergedShape;
use crate::http::api_error::{ApiError, ErrorResponse};
use crate::http::authentication::source;
use crate::http::dialect::{not_found, shaped};
use crate::http::service::AuthorityService;
use crate::metrics::page;
use crate::server::Authority;

/// The version of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What a reverse proxy adds: the caller is then another than its address says.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Returns the service of a listener for metrics alone.
pub(crate) fn metrics_service(authority: &Authority) -> AuthorityService {
    let show = get(async |State(authority): State<Authority>| shown(&authority));
    let routes = Router::new()
        .route("/metrics", show)
        .fallback(not_found::<MergedShape>);
    AuthorityService::new(shaped::<MergedShape, _>(routes).with_state(authority.clone()))
}

/// `GET /metrics` for callers on this machine.
pub(super) async fn local(State(authority): State<Authority>, request: Request) -> Response {
    let is_local = source(request.extensions()).is_some_and(|ip| ip.to_canonical().is_loopback());
    if is_local && !is_forwarded(request.headers()) {
        return shown(&authority);
    }
    ErrorResponse::<MergedShape>::from(ApiError::not_found("Not found")).into_response()
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(*name))
}

fn shown(authority: &Authority) -> Response {
    ([(CONTENT_TYPE, TEXT)], page(authority)).into_response()
}

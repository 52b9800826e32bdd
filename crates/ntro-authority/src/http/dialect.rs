//! A dialect: how its callers authenticate, and the error body that they understand.

use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use tower_http::catch_panic::CatchPanicLayer;

use super::api_error::{ApiError, ErrorResponse, ErrorShape};
use crate::server::Authority;
use ntro_base::Provider;

/// The dialect of a provider's clients. Its implementor is the state of its sub-router.
pub(crate) trait Dialect: ErrorShape + Clone + Send + Sync {
    /// The provider whose keys its endpoints accept.
    const PROVIDER: Provider;
    /// The path of the identity request, which the key cache holds a response for.
    const IDENTITY: &'static str;

    /// Returns the credential of a request. A header that appears twice, or is not text, is none.
    fn credential(headers: &HeaderMap) -> Option<Credential<'_>>;

    /// Returns the authority behind the endpoints.
    fn authority(&self) -> &Authority;
}

/// A credential, not verified yet.
pub(crate) enum Credential<'a> {
    /// An API key, and the provider whose header it came in.
    Key(&'a str, Provider),
    /// A JSON Web Token.
    Token(&'a str),
}

/// Gives routes the error shape `E` for wrong methods and panics too.
pub(crate) fn shaped<E: ErrorShape, S>(routes: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes
        .method_not_allowed_fallback(method_not_allowed::<E>)
        .layer(CatchPanicLayer::custom(|_| panicked::<E>()))
}

/// Makes all other paths at or below `prefix` answer 404 in the error shape `E`.
pub(crate) fn claim<E: ErrorShape, S>(routes: Router<S>, prefix: &str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes
        .nest(prefix, Router::new().fallback(not_found::<E>))
        // The nested fallback does not match this path.
        .route(&format!("{prefix}/"), any(not_found::<E>))
}

/// Answers 404 for a path without a route.
pub(crate) async fn not_found<E: ErrorShape>() -> ErrorResponse<E> {
    ApiError::not_found("Not found").into()
}

async fn method_not_allowed<E: ErrorShape>() -> ErrorResponse<E> {
    ApiError::method_not_allowed().into()
}

fn panicked<E: ErrorShape>() -> Response {
    tracing::error!("a handler panicked");
    ErrorResponse::<E>::from(ApiError::internal()).into_response()
}

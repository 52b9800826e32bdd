use axum::Router;

use super::service::AuthorityService;
use super::{cached, ntropii, ontora, own};
use crate::server::Authority;

/// Returns a router with every endpoint of the authority, to serve by other means than
/// [`serve`](super::serve).
pub fn router(authority: Authority) -> Router {
    Router::new().fallback_service(service(authority, true))
}

/// Returns the service with every endpoint: one sub-router for each dialect, with its own
/// authentication and error shape, and the fast path before them.
pub(crate) fn service(authority: Authority, has_metrics: bool) -> AuthorityService {
    let routes = Router::new()
        .merge(ntropii::router(&authority))
        .merge(ontora::router(&authority))
        .merge(own::router(&authority, has_metrics));
    let settings = authority.settings();
    let service = AuthorityService::new(routes)
        .with_trusted_proxies(settings.trusted_proxies.clone())
        .with_access_log(settings.access_log.clone());
    let service = match authority.replication() {
        Some(_) => service.with_barrier(authority.clone()),
        None => service,
    };
    service.with_fast_path(
        move |head| match authority.key_cache().answers_from_memory() {
            true => cached::fast_path(&authority, head),
            false => None,
        },
    )
}

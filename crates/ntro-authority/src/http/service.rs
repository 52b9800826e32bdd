//! The service in front of all routes: it answers on the fast path if it can, and gives every
//! response a request id.
//!
//! The ids are not those of a `tower_http` layer: the fast path has none, and the layer would keep
//! any `X-Request-Id` that it gets, valid or not.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::header::CONNECTION;
use axum::http::request::Parts;
use axum::http::{self, HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use tower::Service;
use tracing::Instrument as _;

use super::access_log::Entry;
use super::api_error::{ApiError, ErrorResponse};
use super::authentication::source;
use super::framing;
use super::own::MergedShape;
use crate::log_queue::LogQueue;
use crate::metrics::METRICS;
use crate::server::Authority;
use crate::trusted_proxies::{DifferentClients, TrustedProxies};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;
/// The start of every path that takes a key.
const WITH_KEYS: &str = "/v1/";

/// The address of a request's client, in its extensions.
#[derive(Clone, Copy)]
pub(super) struct ClientAddress(pub(super) IpAddr);

/// The address of a client, if it has one; an error if its proxies contradict each other.
type Client = Result<Option<IpAddr>, DifferentClients>;

/// The head of a request: all but its body.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) source: Option<IpAddr>,
}

impl<'a> Head<'a> {
    fn new<B>(request: &'a http::Request<B>, source: Option<IpAddr>) -> Self {
        Self {
            method: request.method(),
            path: request.uri().path(),
            query: request.uri().query(),
            headers: request.headers(),
            source,
        }
    }
}

impl<'a> From<&'a Parts> for Head<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self {
            method: &parts.method,
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
            source: source(&parts.extensions),
        }
    }
}

/// Answers a request that needs no waiting, and leaves the rest to the routes.
type FastPath = dyn Fn(&Head<'_>) -> Option<Response> + Send + Sync;

/// A response, or the future of one.
pub(crate) enum ServiceResponse {
    Ready(Response),
    /// Boxed: the future is large, and the connection moves it.
    Pending(Pin<Box<dyn Future<Output = Response> + Send>>),
}

/// The fast path and the routes.
///
/// Not a layer of the router: that would box and clone once more for each request.
#[derive(Clone)]
pub(crate) struct AuthorityService {
    fast_path: Arc<FastPath>,
    routes: Router,
    trusted_proxies: Arc<TrustedProxies>,
    /// The authority, if its memory may lack changes of other processes.
    barrier: Option<Authority>,
    access_log: Option<LogQueue>,
}

impl AuthorityService {
    pub(crate) fn new(routes: Router) -> Self {
        Self {
            fast_path: Arc::new(|_| None),
            routes,
            trusted_proxies: Arc::default(),
            barrier: None,
            access_log: None,
        }
    }

    /// Sets the reverse proxies that name the client's address.
    pub(crate) fn with_trusted_proxies(self, trusted_proxies: TrustedProxies) -> Self {
        Self {
            trusted_proxies: Arc::new(trusted_proxies),
            ..self
        }
    }

    /// Sets the log of all requests that [`Self::answer`] answers.
    pub(crate) fn with_access_log(self, access_log: Option<LogQueue>) -> Self {
        Self { access_log, ..self }
    }

    /// Routes requests that may have a key only when the authority is up to date.
    pub(crate) fn with_barrier(self, authority: Authority) -> Self {
        Self {
            barrier: Some(authority),
            ..self
        }
    }

    /// Sets the fast path.
    pub(crate) fn with_fast_path(
        self,
        fast_path: impl Fn(&Head<'_>) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        Self {
            fast_path: Arc::new(fast_path),
            ..self
        }
    }

    /// Answers a request from `peer`, as [`Self::respond`] does, and logs it.
    pub(crate) fn answer<B>(
        &self,
        request: http::Request<B>,
        peer: Option<SocketAddr>,
    ) -> ServiceResponse
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let peer = peer.map(|peer| peer.ip());
        let client = self.trusted_proxies.client(peer, request.headers());
        let Some(log) = &self.access_log else {
            return self.respond(request, client);
        };
        let entry = Entry::new(log, &request, client.unwrap_or(peer));
        match Entry::watch(|| self.respond(request, client)) {
            (ServiceResponse::Ready(response), actor) => {
                entry.write(&response, actor.as_ref());
                ServiceResponse::Ready(response)
            }
            (ServiceResponse::Pending(response), _) => {
                ServiceResponse::Pending(Box::pin(entry.follow(response)))
            }
        }
    }

    fn respond<B>(&self, request: http::Request<B>, client: Client) -> ServiceResponse
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let head = Head::new(&request, client.unwrap_or_default());
        if let Err(error) = framing::check(&request) {
            return ServiceResponse::Ready(misframed(error, &head));
        }
        if let Err(error) = client {
            return ServiceResponse::Ready(refused(error, &head));
        }
        if let Some(response) = self.fast_response(&head) {
            return ServiceResponse::Ready(response);
        }
        let source = head.source;
        let request = request.map(Body::new);
        ServiceResponse::Pending(Box::pin(self.clone().route(request, source)))
    }

    /// Answers on the fast path. If it panics, the routes answer.
    fn fast_response(&self, head: &Head<'_>) -> Option<Response> {
        let answered = catch_unwind(AssertUnwindSafe(|| (self.fast_path)(head)));
        let response = answered.unwrap_or_default()?;
        Some(finish(response, head.path, request_id(head.headers)))
    }

    async fn route(mut self, mut request: Request, source: Option<IpAddr>) -> Response {
        if let Some(address) = source {
            request.extensions_mut().insert(ClientAddress(address));
        }
        let id = request_id(request.headers());
        let uri = request.uri().clone();
        let span = tracing::error_span!("request", request_id = ?id, path = uri.path());
        let routed = self.routes.call(request).instrument(span);
        let Ok(response) = match &self.barrier {
            Some(authority) if uri.path().starts_with(WITH_KEYS) => {
                authority.up_to_date(routed).await
            }
            _ => routed.await,
        };
        finish(response, uri.path(), id)
    }
}

/// Refuses a request whose end the caller may see elsewhere than the server, and closes the
/// connection.
fn misframed(error: ApiError, head: &Head<'_>) -> Response {
    let mut response = ErrorResponse::<MergedShape>::from(error).into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    finish(response, head.path, request_id(head.headers))
}

/// Refuses a request whose client is not known.
fn refused(_: DifferentClients, head: &Head<'_>) -> Response {
    let error = ApiError::malformed("Forwarded and X-Forwarded-For name different clients");
    let response = ErrorResponse::<MergedShape>::from(error).into_response();
    finish(response, head.path, request_id(head.headers))
}

/// Counts the response, adds the request id, and logs an error.
fn finish(mut response: Response, path: &str, id: HeaderValue) -> Response {
    let status = response.status();
    METRICS.count(path, status);
    if status.is_client_error() || status.is_server_error() {
        tracing::debug!(request_id = ?id, path, %status, "refused");
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

impl Service<Request> for AuthorityService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| peer.ip());
        let client = self.trusted_proxies.client(peer, request.headers());
        let head = Head::new(&request, client.unwrap_or_default());
        if let Err(error) = client {
            return Box::pin(std::future::ready(Ok(refused(error, &head))));
        }
        if let Some(response) = self.fast_response(&head) {
            return Box::pin(std::future::ready(Ok(response)));
        }
        let (service, source) = (self.clone(), head.source);
        Box::pin(async move { Ok(service.route(request, source).await) })
    }
}

/// Returns the request's own id if it is valid, and a new one otherwise.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_valid = |id: &&HeaderValue| {
        (1..=LONGEST_REQUEST_ID).contains(&id.len())
            && id
                .as_bytes()
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    match headers.get(REQUEST_ID).filter(is_valid) {
        Some(id) => id.clone(),
        None => next_id(),
    }
}

/// Returns a count, hashed with a random key of this process. That needs no system call, and two ids
/// do not reveal the number of requests between them. Two hashes make collisions as unlikely as
/// those of keys.
fn next_id() -> HeaderValue {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);

    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let half = |half: u64| u128::from(KEY.hash_one((count, half)));
    let number = (half(0) << 64) | half(1);
    let mut text = [0_u8; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::dialect::shaped;
    use crate::http::ntropii::Ntropii;

    async fn ask(service: &AuthorityService, path: &str) -> Response {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        service.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn panic_answers_500() {
        let routes = Router::new()
            .route("/v1/me", get(async || -> () { panic!("a defect") }))
            .route("/healthz", get(async || "ok"));
        let routes = shaped::<Ntropii, _>(routes);
        let routed = AuthorityService::new(routes.clone());
        let fast_path = AuthorityService::new(routes).with_fast_path(|head| match head.path {
            "/v1/me" => panic!("a defect"),
            _ => None,
        });
        for service in [routed, fast_path] {
            let refused = ask(&service, "/v1/me").await;
            assert_eq!(refused.status(), 500);
            assert!(refused.headers().contains_key(REQUEST_ID));
            let body = axum::body::to_bytes(refused.into_body(), 1_000).await;
            let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
            assert!(body.contains(r#""statusCode":500"#), "{body}");
            assert!(!body.contains("a defect"), "{body}");
            assert_eq!(ask(&service, "/healthz").await.status(), 200);
        }
    }

    #[test]
    fn request_ids_differ_unpredictably() {
        let ids: Vec<_> = std::iter::repeat_with(next_id).take(1_000).collect();
        let mut parts = std::collections::HashSet::new();
        let mut steps = std::collections::HashSet::new();
        for pair in ids.windows(2) {
            let number = |id: &HeaderValue| u128::from_str_radix(id.to_str().unwrap(), 16).unwrap();
            let [one, two] = [number(&pair[0]), number(&pair[1])];
            assert!(steps.insert(two.wrapping_sub(one)), "steps repeat");
            assert_eq!(pair[0].len(), 32);
            for half in pair[0].as_bytes().chunks(16) {
                assert!(parts.insert(half.to_vec()), "half of an id repeats");
            }
        }
    }
}

//! What happens to every request: it gets an id, its handler may panic, and an error is told in
//! the dialect of its path.

use std::convert::Infallible;
use std::future::poll_fn;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::header::ALLOW;
use axum::http::{self, HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use bytes::Bytes;
use tower::Service;

use super::api_error::ApiError;
use super::extract::source;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;

/// What is known of a request before its body.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) source: Option<IpAddr>,
}

impl<'a> Head<'a> {
    fn new<B>(request: &'a http::Request<B>, source: Option<IpAddr>) -> Self {
        Self {
            method: request.method(),
            path: request.uri().path(),
            headers: request.headers(),
            source,
        }
    }
}

/// Answers what can be answered without waiting for anything, and leaves the rest to the routes.
type FastPath = dyn Fn(&Head<'_>) -> Option<Result<Response, ApiError>> + Send + Sync;

/// How a request is answered.
pub(crate) enum ServiceResponse {
    Ready(Response),
    /// Boxed: it is large, and the connection moves it about.
    Pending(Pin<Box<dyn Future<Output = Response> + Send>>),
}

/// Stands before the whole of the routes, the fallbacks too.
///
/// Not a layer of the router: that would wrap, box and clone once more for every request.
#[derive(Clone)]
pub(crate) struct AuthorityService {
    fast_path: Arc<FastPath>,
    routes: Router,
}

impl AuthorityService {
    pub(crate) fn new(routes: Router) -> Self {
        Self {
            fast_path: Arc::new(|_| None),
            routes,
        }
    }

    /// Lets `answer` answer, before the routes, what it can at once.
    pub(crate) fn with_fast_path(
        self,
        answer: impl Fn(&Head<'_>) -> Option<Result<Response, ApiError>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            fast_path: Arc::new(answer),
            ..self
        }
    }

    /// Answers a request that came from `peer`, whatever its handler does.
    pub(crate) fn answer<B>(&self, request: http::Request<B>, peer: SocketAddr) -> ServiceResponse
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let head = Head::new(&request, Some(peer.ip()));
        if let Some(response) = self.fast_response(&head) {
            return ServiceResponse::Ready(response);
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        ServiceResponse::Pending(Box::pin(self.clone().route(request)))
    }

    fn fast_response(&self, head: &Head<'_>) -> Option<Response> {
        let answered = match catch_unwind(AssertUnwindSafe(|| (self.fast_path)(head))) {
            Ok(None) => return None,
            Ok(Some(answered)) => Some(answered),
            Err(_) => None,
        };
        let id = request_id(head.headers);
        Some(finish(answered, head.path, id))
    }

    async fn route(mut self, request: Request) -> Response {
        let id = request_id(request.headers());
        let uri = request.uri().clone();
        let mut handling = pin!(self.routes.call(request));
        let handled = poll_fn(|context| {
            match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context))) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(Ok(response))) => Poll::Ready(Some(response)),
                Err(_) => Poll::Ready(None),
            }
        });
        let mut allow = None;
        let answered = handled.await.map(|mut response| {
            // Which methods a path takes is known to the router alone.
            allow = response.headers_mut().remove(ALLOW);
            match response.extensions_mut().remove::<ApiError>() {
                Some(error) => Err(error),
                None => Ok(response),
            }
        });
        let mut response = finish(answered, uri.path(), id);
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}

/// Makes the answer of what the handler said; `None` when it panicked.
fn finish(answered: Option<Result<Response, ApiError>>, path: &str, id: HeaderValue) -> Response {
    let answered = answered.unwrap_or_else(|| {
        tracing::error!(request_id = ?id, path, "a handler panicked");
        Err(ApiError::internal())
    });
    let mut response = answered.unwrap_or_else(|error| {
        let response = error.render(path);
        tracing::debug!(request_id = ?id, path, status = %response.status(), "refused");
        response
    });
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
        let head = Head::new(&request, source(request.extensions()));
        if let Some(response) = self.fast_response(&head) {
            return Box::pin(std::future::ready(Ok(response)));
        }
        let service = self.clone();
        Box::pin(async move { Ok(service.route(request).await) })
    }
}

/// The id that came with the request if it is a sound one, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sound = |id: &&HeaderValue| {
        (1..=LONGEST_REQUEST_ID).contains(&id.len())
            && id
                .as_bytes()
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    match headers.get(REQUEST_ID).filter(sound) {
        Some(id) => id.clone(),
        None => next_id(),
    }
}

/// A count under a hash whose key is drawn once for the process: no system call, and nobody can
/// tell from the ids of two requests how many of others lie between them. Two halves make equal
/// ids as unlikely as equal keys.
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

    async fn ask(service: &AuthorityService, path: &str) -> Response {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        service.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_handler_that_panics_answers_500_and_the_next_request_is_served() {
        let routes = Router::new()
            .route("/v1/me", get(async || -> () { panic!("a defect") }))
            .route("/healthz", get(async || "ok"));
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
    fn ids_are_new_each_time_and_tell_nothing_of_each_other() {
        let ids: Vec<_> = std::iter::repeat_with(next_id).take(1_000).collect();
        let mut parts = std::collections::HashSet::new();
        let mut steps = std::collections::HashSet::new();
        for pair in ids.windows(2) {
            let number = |id: &HeaderValue| u128::from_str_radix(id.to_str().unwrap(), 16).unwrap();
            let [one, two] = [number(&pair[0]), number(&pair[1])];
            assert!(steps.insert(two.wrapping_sub(one)), "steps repeat");
            assert_eq!(pair[0].len(), 32);
            for half in pair[0].as_bytes().chunks(16) {
                assert!(parts.insert(half.to_vec()), "half of an id comes again");
            }
        }
    }
}

//! What happens to every request: it gets an id, its handler may panic, and an error is told in
//! the dialect of its path.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use tower::Service;

use super::api_error::ApiError;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;

/// Stands before the whole of the routes, the fallbacks too.
///
/// Not a layer of the router: that would wrap, box and clone once more for every request.
#[derive(Clone)]
pub(super) struct Front {
    routes: Router,
}

impl Front {
    pub(super) fn new(routes: Router) -> Self {
        Self { routes }
    }

    /// Answers a request, whatever its handler does.
    pub(super) async fn answer(mut self, request: Request) -> Response {
        let id = request_id(&request);
        let uri = request.uri().clone();
        let mut handling = pin!(self.routes.call(request));
        let handled = poll_fn(|context| {
            match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context))) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(Ok(response))) => Poll::Ready(Some(response)),
                Err(_) => Poll::Ready(None),
            }
        });
        let mut response = match handled.await {
            Some(response) => response,
            None => {
                tracing::error!(request_id = ?id, path = uri.path(), "a handler panicked");
                ApiError::internal().render(uri.path())
            }
        };
        if response.status().as_u16() >= 400
            && let Some(error) = response.extensions_mut().remove::<ApiError>()
        {
            response = error.render(uri.path());
            tracing::debug!(
                request_id = ?id, path = uri.path(), status = %response.status(), "refused"
            );
        }
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let front = self.clone();
        Box::pin(async move { Ok(front.answer(request).await) })
    }
}

/// The id that came with the request if it is a sound one, else a new one.
fn request_id(request: &Request) -> HeaderValue {
    let sound = |id: &&HeaderValue| {
        (1..=LONGEST_REQUEST_ID).contains(&id.len())
            && id
                .as_bytes()
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    match request.headers().get(REQUEST_ID).filter(sound) {
        Some(id) => id.clone(),
        None => next_id(),
    }
}

/// A number drawn once for the process, and a count: unique, and no system call.
fn next_id() -> HeaderValue {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);

    let process = PROCESS.get_or_init(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let number = (u128::from(*process) << 64) | u128::from(count);
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
    use axum::body::Body;
    use axum::routing::get;

    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_answers_500_and_the_next_request_is_served() {
        let routes = Router::new()
            .route("/v1/me", get(async || -> () { panic!("a defect") }))
            .route("/healthz", get(async || "ok"));
        let front = Front::new(routes);
        let ask = |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            front.clone().answer(request)
        };
        let refused = ask("/v1/me").await;
        assert_eq!(refused.status(), 500);
        assert!(refused.headers().contains_key(REQUEST_ID));
        let body = axum::body::to_bytes(refused.into_body(), 1_000).await;
        let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
        assert!(body.contains(r#""statusCode":500"#), "{body}");
        assert!(!body.contains("a defect"), "{body}");
        assert_eq!(ask("/healthz").await.status(), 200);
    }

    #[test]
    fn ids_are_new_each_time() {
        let (one, two) = (next_id(), next_id());
        assert_eq!(one.len(), 32);
        assert_ne!(one, two);
    }
}

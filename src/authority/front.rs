//! What happens to every request: it gets an id, its handler may panic, and an error is told in
//! the dialect of its path.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use super::api_error::ApiError;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;

/// Wraps the whole of the routes, the fallbacks too.
pub(super) fn wrap(routes: Router) -> Router {
    routes.layer(from_fn(front))
}

async fn front(request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let path = request.uri().clone();
    let mut handling = pin!(next.run(request));
    let handled = poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
            Err(_) => Poll::Ready(None),
        }
    });
    let mut response = match handled.await {
        Some(response) => response,
        None => {
            tracing::error!(request_id = ?id, path = path.path(), "a handler panicked");
            ApiError::internal().render(path.path())
        }
    };
    if response.status().as_u16() >= 400
        && let Some(error) = response.extensions_mut().remove::<ApiError>()
    {
        response = error.render(path.path());
        tracing::debug!(request_id = ?id, path = path.path(), status = %response.status(), "refused");
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
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
    let mut text = [0_u8; 32];
    for (digit, nibble) in text.iter_mut().zip((0..32).rev()) {
        let number = (u128::from(*process) << 64) | u128::from(count);
        *digit = b"0123456789abcdef"[(number >> (nibble * 4)) as usize & 15];
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
}

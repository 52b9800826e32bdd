use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, Request, Response};
use tower::Service;

use super::asker::{Asker, Denial};

/// A service that requests reach only with an accepted key.
#[derive(Clone)]
pub struct Authorize<S> {
    inner: S,
    asker: Arc<Asker>,
}

impl<S> Authorize<S> {
    pub(super) fn new(inner: S, asker: Arc<Asker>) -> Self {
        Self { inner, asker }
    }
}

impl<S, B, R> Service<Request<B>> for Authorize<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<Vec<u8>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let clone = self.inner.clone();
        // The service that is ready is the one that was polled.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let asker = Arc::clone(&self.asker);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            remove_identity(&mut parts.headers);
            match asker.ask(&parts.headers).await {
                Ok(key) => {
                    parts.extensions.insert(key);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(denial) => Ok(refuse(denial)),
            }
        })
    }
}

/// Removes every header that code behind the layer could take for an identity header of a gateway.
fn remove_identity(headers: &mut HeaderMap) {
    let is_identity = |name: &&HeaderName| {
        let name = name.as_str().replace(['_', '.'], "-");
        name.starts_with("x-ntro-")
    };
    let forged: Vec<_> = headers.keys().filter(is_identity).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

fn refuse<R: From<Vec<u8>>>(denial: Denial) -> Response<R> {
    let mut response = Response::new(denial.body.into());
    *response.status_mut() = denial.status;
    *response.headers_mut() = denial.headers;
    response
}

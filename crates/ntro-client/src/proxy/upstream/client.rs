use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::{Request, Response};
use ntro_base::Origin;
use ntro_base::http::{HttpClient, root_cause};
use url::Url;

use super::{CallBody, CallError, body_error};
use crate::proxy::Settings;

/// The calls on one HTTP/2 connection. Servers allow about a hundred, and further ones would wait.
const LARGEST_SHARE: usize = 64;

/// Calls the server through the HTTP client of all other commands.
pub(in crate::proxy) struct Client {
    origin: Origin,
    client: HttpClient,
    /// A connection to each call, for more calls than one HTTP/2 connection takes.
    separate: HttpClient,
    under_way: Arc<AtomicUsize>,
}

impl Client {
    pub(super) fn new(settings: &Settings, under_way: Arc<AtomicUsize>) -> Self {
        let client = || {
            HttpClient::new(
                &settings.calls.user_agent,
                settings.calls.connect_timeout,
                settings.calls.proxies.clone(),
                settings.calls.roots.clone(),
            )
        };
        Self {
            origin: settings.host.origin(),
            client: client().allow_http2(),
            separate: client(),
            under_way,
        }
    }

    pub(super) async fn call(
        &self,
        request: Request<CallBody>,
    ) -> Result<Response<reqwest::Body>, CallError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&format!("{}{}", self.origin, parts.uri)).ok();
        // The URL standard would repair other paths than those that were checked.
        let url = url.filter(|url| url.path() == parts.uri.path() && url.fragment().is_none());
        let url =
            url.ok_or_else(|| CallError::Unusable("the path is not that of a URL".to_owned()))?;
        let client = self.client_for(&url).for_url(&url);
        let client = client.map_err(|error| CallError::Unusable(error.to_string()))?;
        let mut call = reqwest::Request::new(parts.method, url);
        *call.headers_mut() = parts.headers;
        *call.body_mut() = match body {
            CallBody::Whole(bytes) if bytes.is_empty() => None,
            CallBody::Whole(bytes) => Some(bytes.into()),
            CallBody::Stream(stream) => Some(reqwest::Body::wrap(*stream)),
        };
        let answer = client
            .execute(call)
            .await
            .map_err(|error| failure(&error))?;
        Ok(answer.into())
    }

    /// Returns the client for one more call.
    fn client_for(&self, url: &Url) -> &HttpClient {
        let is_crowded = self.under_way.load(Ordering::Relaxed) > LARGEST_SHARE;
        match url.scheme() == "https" && is_crowded {
            true => &self.separate,
            false => &self.client,
        }
    }
}

fn failure(error: &reqwest::Error) -> CallError {
    match body_error(error) {
        Some(error) => CallError::Body(error),
        None if error.is_timeout() => CallError::TimedOut,
        None if error.is_connect() => CallError::Unreachable(root_cause(error)),
        None => CallError::BrokeOff(root_cause(error)),
    }
}

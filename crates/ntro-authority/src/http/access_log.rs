//! The access log: one line of JSON for each response.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::Instant;

use axum::body::HttpBody as _;
use axum::http::{Method, Request, Version};
use axum::response::Response;
use jiff::Timestamp;
use ntro_base::Provider;
use serde::Serialize;
use tokio::task::futures::TaskLocalFuture;

use super::service::REQUEST_ID;
use crate::actor::Actor;
use crate::log_queue::LogQueue;

/// The longest part of a path that is logged.
const LONGEST_PART: usize = 64;

tokio::task_local! {
    /// Who makes the request, while it is handled for the log.
    static CALLER: RefCell<Option<Actor>>;
}

/// Records who makes the current request, if it is logged.
pub(super) fn record_caller(actor: impl FnOnce() -> Actor) {
    // Without a log there is no such value.
    let _ = CALLER.try_with(|caller| caller.replace(Some(actor())));
}

/// A request that is logged when it is answered.
pub(super) struct Entry {
    log: LogQueue,
    started: Instant,
    method: Method,
    path: String,
    version: Version,
    source: Option<IpAddr>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    request_id: Option<&'a str>,
    source: Option<IpAddr>,
    actor: Option<String>,
    method: &'a str,
    path: &'a str,
    version: String,
    status: u16,
    bytes: Option<u64>,
    microseconds: u128,
}

impl Entry {
    pub(super) fn new<B>(log: &LogQueue, request: &Request<B>, source: Option<IpAddr>) -> Self {
        Self {
            log: log.clone(),
            started: Instant::now(),
            method: request.method().clone(),
            path: without_keys(request.uri().path()),
            version: request.version(),
            source,
        }
    }

    /// Calls `respond`, and returns the actor that it has recorded.
    pub(super) fn watch<T>(respond: impl FnOnce() -> T) -> (T, Option<Actor>) {
        CALLER.sync_scope(RefCell::default(), || {
            let response = respond();
            (response, CALLER.with(RefCell::take))
        })
    }

    /// Waits for a response, and logs it.
    pub(super) fn follow<F: Future<Output = Response>>(
        self,
        response: F,
    ) -> TaskLocalFuture<RefCell<Option<Actor>>, impl Future<Output = Response>> {
        CALLER.scope(RefCell::default(), async move {
            let response = response.await;
            self.write(&response, CALLER.with(RefCell::take).as_ref());
            response
        })
    }

    pub(super) fn write(&self, response: &Response, actor: Option<&Actor>) {
        let request_id = response.headers().get(REQUEST_ID);
        let line = Line {
            time: Timestamp::now(),
            request_id: request_id.and_then(|id| id.to_str().ok()),
            source: self.source,
            actor: actor.map(Actor::to_string),
            method: self.method.as_str(),
            path: &self.path,
            version: format!("{:?}", self.version),
            status: response.status().as_u16(),
            bytes: response.body().size_hint().exact(),
            microseconds: self.started.elapsed().as_micros(),
        };
        // Strings and numbers always serialize.
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        self.log.push(line);
    }
}

/// Returns a path with `…` for each part that may be a secret: no endpoint has such a part.
fn without_keys(path: &str) -> String {
    let is_shown = |part: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        part.len() <= LONGEST_PART && part.bytes().all(is_plain) && !holds_key(part)
    };
    let parts = path.split('/');
    let parts = parts.map(|part| if is_shown(part) { part } else { "…" });
    parts.collect::<Vec<_>>().join("/")
}

fn holds_key(part: &str) -> bool {
    let mut starts = part.char_indices().map(|(start, _)| &part[start..]);
    starts.any(|text| Provider::of_key(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_shows_ids_but_no_keys() {
        for (path, shown) in [
            ("/", "/"),
            ("/v1/api-keys/0193f2c4-0000-7000-8000-000000000000", ""),
            ("/v1/tenants/acme/api-keys", ""),
            ("/v1/ntro_prod_k9Zr4MxQ2bLw_secret", "/v1/…"),
            ("/v1/xont_live_k9Zr4MxQ2bLw_secret/x", "/v1/…/x"),
            ("/v1/%6etro_prod_k9Zr4MxQ2bLw", "/v1/…"),
            ("/a\u{1b}b", "/…"),
        ] {
            let shown = if shown.is_empty() { path } else { shown };
            assert_eq!(without_keys(path), shown);
        }
        assert_eq!(without_keys(&format!("/{}", "a".repeat(65))), "/…");
    }
}

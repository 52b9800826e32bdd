//! The HTTP client of one host.
//!
//! All rules of sending are here and in [`ntro_base::http`]: where a key may go, which requests are
//! retried, how long a call may take and how much of an answer is read.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::credential::Credential;
use super::error::{Cause, Error, Expected};
use super::failure::Failure;
use super::response::{Body, ServerResponse};
use super::retry;
use super::settings::Settings;
use super::transport::Transport;
use ntro_base::http::read_body;
use ntro_base::{Host, KeyPrefix, Origin, Provider};

/// A request that may be sent several times.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) body: Option<Value>,
    /// Lets the server recognise a repeated request.
    pub(super) idempotency_key: Option<String>,
    /// Whether it may be sent again when no answer arrives.
    repeatable: bool,
}

impl Call {
    pub(super) fn get(url: String) -> Self {
        Self::new(Method::GET, url)
    }

    pub(super) fn delete(url: String) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// Returns a POST without a body that is never repeated.
    pub(super) fn post(url: String) -> Self {
        Self::new(Method::POST, url)
    }

    /// Returns a POST that may be repeated, because its idempotency key makes it take effect once.
    pub(super) fn post_once(url: String, body: Value) -> Self {
        Self {
            body: Some(body),
            repeatable: true,
            ..Self::new(Method::POST, url)
        }
        .known_by(&uuid::Uuid::new_v4().to_string())
    }

    pub(super) fn put(url: String, body: Value) -> Self {
        Self::new(Method::PUT, url).with_body(body)
    }

    /// Adds a body.
    pub(super) fn with_body(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// Names the request, or the earlier request that it undoes.
    pub(super) fn known_by(self, key: &str) -> Self {
        Self {
            idempotency_key: Some(key.to_owned()),
            ..self
        }
    }

    fn new(method: Method, url: String) -> Self {
        Self {
            repeatable: [Method::GET, Method::PUT, Method::DELETE].contains(&method),
            method,
            url,
            body: None,
            idempotency_key: None,
        }
    }
}

/// The client of one host.
pub(super) struct Http {
    provider: Provider,
    host: Host,
    credential: Option<Credential>,
    insecure_http: bool,
    settings: Settings,
    transport: Transport,
}

impl Http {
    pub(super) fn new(
        provider: Provider,
        host: Host,
        credential: Option<Credential>,
        insecure_http: bool,
        settings: Settings,
        transport: Transport,
    ) -> Self {
        Self {
            provider,
            host,
            credential,
            insecure_http,
            settings,
            transport,
        }
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// Returns when a call that begins now times out.
    pub(super) fn deadline(&self) -> Instant {
        self.settings.deadline(Instant::now())
    }

    /// Sends a request as [`Http::send`] does, and returns the answer if it is a success.
    pub(super) async fn success(&self, call: &Call) -> Result<ServerResponse, Error> {
        self.success_by(call, self.deadline()).await
    }

    /// As [`Http::success`], for one of several calls that share a deadline.
    pub(super) async fn success_by(
        &self,
        call: &Call,
        deadline: Instant,
    ) -> Result<ServerResponse, Error> {
        self.send_by(call, deadline).await?.into_success()
    }

    /// Sends a request, with retries, and returns the answer whatever its status. A redirect is an
    /// error.
    pub(super) async fn send(&self, call: &Call) -> Result<ServerResponse, Error> {
        self.send_by(call, self.deadline()).await
    }

    async fn send_by(&self, call: &Call, deadline: Instant) -> Result<ServerResponse, Error> {
        let (url, origin) = self.checked_url(&call.url)?;
        let headers = self.headers(call, &origin)?;
        let client = self.transport.client(&url, &origin, &self.settings)?;
        let started = Instant::now();
        let mut tries = 0;
        let mut resent = false;
        loop {
            tries += 1;
            let mut request = client
                .request(call.method.clone(), url.clone())
                .headers(headers.clone());
            if let Some(body) = &call.body {
                request = request.body(body.to_string());
            }
            let mut outcome = tokio::time::timeout_at(deadline, self.once(request, &origin))
                .await
                .unwrap_or_else(|_| Err(Failure::timed_out()));
            if let Some(proxy) = self.transport.proxy(&url) {
                outcome = match outcome {
                    Ok(answer) if answer.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                        Err(Failure::of_proxy(proxy, answer.status.as_u16()))
                    }
                    Err(failure) if failure.cause == Cause::Proxy => {
                        Err(failure.at_proxy(proxy, &url).await)
                    }
                    outcome => outcome,
                };
            }
            self.log(call, &url, tries, started, &outcome);
            let again = call.repeatable && tries < self.settings.tries;
            if let Some(pause) = self.pause(&outcome, tries).filter(|_| again)
                && Instant::now()
                    .checked_add(pause)
                    .is_some_and(|next| next < deadline)
            {
                resent |= match &outcome {
                    Ok(answer) => answer.status.is_server_error(),
                    Err(failure) => failure.sent,
                };
                tokio::time::sleep(pause).await;
                continue;
            }
            let mut answer = outcome.map_err(|failure| self.unreachable(&origin, failure))?;
            answer.resent = resent;
            return answer.not_redirected(&url);
        }
    }

    fn unreachable(&self, origin: &Origin, failure: Failure) -> Error {
        Error::Unreachable {
            origin: origin.clone(),
            cause: failure.cause,
            detail: match failure.cause {
                Cause::Tls => self.settings.tls_detail(failure.detail),
                _ => failure.detail,
            },
        }
    }

    /// Returns how long to wait before the next try; `None` if another try is pointless.
    fn pause(&self, outcome: &Result<ServerResponse, Failure>, tries: u32) -> Option<Duration> {
        let backoff = retry::backoff(self.settings.backoff, tries);
        match outcome {
            // Neither a certificate nor a proxy's refusal changes within a second.
            Err(failure) => {
                (!matches!(failure.cause, Cause::Tls | Cause::Proxy)).then_some(backoff)
            }
            Ok(answer) if answer.is_temporary() => retry::pause(
                backoff,
                answer.retry_after(),
                self.settings.retry_after_limit,
            ),
            Ok(_) => None,
        }
    }

    /// Parses the URL of a call, and refuses plain `http` to another machine.
    fn checked_url(&self, text: &str) -> Result<(Url, Origin), Error> {
        let unusable = |detail: String| Error::Unreachable {
            origin: self.host.origin(),
            cause: Cause::NoRoute,
            detail,
        };
        let url = Url::parse(text).map_err(|error| unusable(error.to_string()))?;
        let mut base = url.clone();
        base.set_query(None);
        let host = Host::try_from(base).map_err(|error| unusable(error.to_string()))?;
        if !host.is_safe_transport() && !self.insecure_http {
            return Err(Error::InsecureTransport {
                origin: host.origin(),
            });
        }
        Ok((url, host.origin()))
    }

    fn headers(&self, call: &Call, origin: &Origin) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if call.body.is_some() {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        if let Some(key) = &call.idempotency_key
            && let Ok(value) = HeaderValue::from_str(key)
        {
            headers.insert("idempotency-key", value);
        }
        if let Some(credential) = &self.credential {
            let (name, value) = credential.header(origin)?;
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// Sends a request once and reads the answer.
    async fn once(
        &self,
        request: reqwest::RequestBuilder,
        origin: &Origin,
    ) -> Result<ServerResponse, Failure> {
        let mut response = request.send().await.map_err(|error| Failure::of(&error))?;
        let status = response.status();
        let limit = self.settings.max_body;
        let body = match read_body(&mut response, limit).await {
            Ok(Some(mut body)) => {
                if let Some(credential) = &self.credential {
                    credential.redact(&mut body);
                }
                Body::Read(body)
            }
            Ok(None) => Body::TooLarge { limit },
            // A refusal counts even if its body is lost.
            Err(_) if !status.is_success() => Body::Read(Zeroizing::default()),
            Err(error) => return Err(Failure::of(&error)),
        };
        let mut headers = std::mem::take(response.headers_mut());
        if let Some(credential) = &self.credential {
            credential.redact_headers(&mut headers);
        }
        Ok(ServerResponse {
            origin: origin.clone(),
            expected: Expected {
                provider: self.provider,
                host: self.host.clone(),
            },
            status,
            headers,
            body,
            resent: false,
            report: Arc::clone(&self.settings.report),
            warned: OnceLock::new(),
        })
    }

    fn log(
        &self,
        call: &Call,
        url: &Url,
        tries: u32,
        started: Instant,
        outcome: &Result<ServerResponse, Failure>,
    ) {
        let mut shown = url.clone();
        shown.set_query(None);
        let key = self.credential.as_ref().and_then(Credential::prefix);
        let key = key.as_ref().map_or("none", KeyPrefix::as_str);
        let milliseconds = started.elapsed().as_millis();
        match outcome {
            Ok(answer) => tracing::debug!(
                method = %call.method,
                url = %shown,
                status = answer.status.as_u16(),
                tries,
                milliseconds,
                key,
                request_id = answer.request_id(),
                "answered"
            ),
            Err(failure) => tracing::debug!(
                method = %call.method,
                url = %shown,
                cause = %failure.cause,
                detail = failure.detail,
                tries,
                milliseconds,
                key,
                "not answered"
            ),
        }
    }
}

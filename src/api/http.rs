//! The HTTP client: built on first use, bound to one host, sparing with keys.
//!
//! Every rule of sending stands here and nowhere else: where a key may go, that no redirect is
//! followed, what is tried again, how long it may take and how much is read.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::admin::AdminToken;
use super::dns::{DnsFailure, Resolver};
use super::error::{Cause, Error, Misfit, Refusal};
use super::retry;
use super::settings::Settings;
use crate::domain::{BoundKey, Host, KeyPrefix, Origin, Provider, printable};
use crate::wire::errors::ErrorText;

/// The longest text of a server that is passed on.
const LONGEST_TEXT: usize = 500;

/// What proves to a server who asks.
pub(super) enum Credential {
    Key(Provider, BoundKey),
    Token(AdminToken),
}

impl Credential {
    /// Returns the header for a request to `origin`: the one place where a secret is put into a
    /// request.
    fn header(&self, origin: &Origin) -> Result<(HeaderName, HeaderValue), Error> {
        let wrong_origin = |bound: &Origin| Error::WrongOrigin {
            bound: bound.clone(),
            origin: origin.clone(),
        };
        let bearer = |secret: &str| Zeroizing::new(format!("Bearer {secret}"));
        let (name, text) = match self {
            Self::Key(provider, bound) => {
                let key = bound
                    .for_origin(origin)
                    .ok_or_else(|| wrong_origin(bound.origin()))?;
                match provider {
                    Provider::Ntropii => (header::AUTHORIZATION, bearer(key.expose())),
                    Provider::Ontora => (
                        HeaderName::from_static("x-api-key"),
                        Zeroizing::new(key.expose().to_owned()),
                    ),
                }
            }
            Self::Token(token) => {
                let token_text = token
                    .for_origin(origin)
                    .ok_or_else(|| wrong_origin(token.origin()))?;
                (header::AUTHORIZATION, bearer(token_text))
            }
        };
        #[expect(
            clippy::expect_used,
            reason = "both types hold visible ASCII only, which every header takes"
        )]
        let mut value = HeaderValue::from_str(&text).expect("visible ASCII");
        value.set_sensitive(true);
        Ok((name, value))
    }

    fn prefix(&self) -> Option<KeyPrefix> {
        match self {
            Self::Key(_, bound) => Some(bound.prefix()),
            Self::Token(_) => None,
        }
    }
}

/// One request, as often as it may have to be sent.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) body: Option<Value>,
    /// Makes a POST safe to repeat.
    pub(super) idempotency_key: Option<String>,
}

impl Call {
    pub(super) fn get(url: String) -> Self {
        Self::new(Method::GET, url)
    }

    pub(super) fn delete(url: String) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// Returns a POST that may be repeated, since the server knows it again by its key.
    pub(super) fn post_once(url: String, body: Value) -> Self {
        Self {
            body: Some(body),
            idempotency_key: Some(uuid::Uuid::new_v4().to_string()),
            ..Self::new(Method::POST, url)
        }
    }

    fn new(method: Method, url: String) -> Self {
        Self {
            method,
            url,
            body: None,
            idempotency_key: None,
        }
    }

    fn is_idempotent(&self) -> bool {
        self.method == Method::GET
            || self.method == Method::DELETE
            || self.idempotency_key.is_some()
    }
}

/// A complete answer of any status but 3xx.
pub(super) struct Answer {
    origin: Origin,
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    /// Whether an earlier try may have been carried out by the server too.
    pub(super) resent: bool,
}

enum Body {
    Read(Zeroizing<Vec<u8>>),
    TooLarge { limit: usize },
}

/// Why one try brought no answer.
struct Failure {
    cause: Cause,
    detail: String,
    /// Whether the server may have received the request.
    sent: bool,
}

/// The client of one host.
pub(super) struct Http {
    host: Host,
    credential: Option<Credential>,
    insecure_http: bool,
    settings: Settings,
    /// Built at the first request: reading the system's roots takes longer than all the rest.
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl Http {
    pub(super) fn new(
        host: Host,
        credential: Option<Credential>,
        insecure_http: bool,
        settings: Settings,
    ) -> Self {
        Self {
            host,
            credential,
            insecure_http,
            settings,
            client: OnceLock::new(),
        }
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// Sends a request until it is answered, and returns the answer if it is a success.
    pub(super) async fn success(&self, call: &Call) -> Result<Answer, Error> {
        self.send(call).await?.into_success()
    }

    /// Sends a request until it is answered or there is no point in going on.
    ///
    /// An answer of any status is returned, except redirects, which are errors.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let (url, origin) = self.checked_url(&call.url)?;
        let headers = self.headers(call, &origin)?;
        let client = self.client().map_err(|detail| Error::Unreachable {
            origin: origin.clone(),
            cause: Cause::Tls,
            detail: detail.to_owned(),
        })?;
        let started = Instant::now();
        let deadline = started + self.settings.total_timeout;
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
            let outcome = tokio::time::timeout_at(deadline, self.once(request, &origin))
                .await
                .unwrap_or_else(|_| {
                    Err(Failure {
                        cause: Cause::TimedOut,
                        detail: String::new(),
                        sent: true,
                    })
                });
            self.log(call, &url, tries, started, &outcome);
            let again = call.is_idempotent() && tries < self.settings.tries;
            if let Some(pause) = self.pause(&outcome, tries).filter(|_| again)
                && Instant::now() + pause < deadline
            {
                resent |= match &outcome {
                    Ok(answer) => answer.status.is_server_error(),
                    Err(failure) => failure.sent,
                };
                tokio::time::sleep(pause).await;
                continue;
            }
            let mut answer = outcome.map_err(|failure| Error::Unreachable {
                origin: origin.clone(),
                cause: failure.cause,
                detail: failure.detail,
            })?;
            answer.resent = resent;
            return answer.not_redirected(&url);
        }
    }

    /// Returns how long to wait before the next try, or nothing if there is to be none.
    fn pause(&self, outcome: &Result<Answer, Failure>, tries: u32) -> Option<Duration> {
        let backoff = retry::backoff(self.settings.backoff, tries);
        match outcome {
            // A certificate will not be better in half a second, and neither will a proxy's mind.
            Err(failure) => {
                (!matches!(failure.cause, Cause::Tls | Cause::Proxy)).then_some(backoff)
            }
            Ok(answer) if is_temporary(answer.status) => match answer.retry_after() {
                Some(asked) if asked > self.settings.retry_after_limit => None,
                Some(asked) => Some(asked.max(backoff)),
                None => Some(backoff),
            },
            Ok(_) => None,
        }
    }

    /// Parses the URL of a call and refuses to send anything unencrypted off this machine.
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

    fn client(&self) -> Result<&reqwest::Client, &str> {
        self.client
            .get_or_init(|| build(&self.host, &self.settings))
            .as_ref()
            .map_err(String::as_str)
    }

    /// Sends a request once and reads the answer.
    async fn once(
        &self,
        request: reqwest::RequestBuilder,
        origin: &Origin,
    ) -> Result<Answer, Failure> {
        let mut response = request.send().await.map_err(|error| Failure::of(&error))?;
        let status = response.status();
        let body = match self.read(&mut response).await {
            Ok(body) => body,
            // A refusal counts even if its explanation is lost.
            Err(_) if !status.is_success() => Body::Read(Zeroizing::default()),
            Err(error) => return Err(Failure::of(&error)),
        };
        Ok(Answer {
            origin: origin.clone(),
            status,
            headers: std::mem::take(response.headers_mut()),
            body,
            resent: false,
        })
    }

    /// Reads a body up to the limit. Nothing is decompressed, so bytes here are bytes on the wire.
    async fn read(&self, response: &mut reqwest::Response) -> Result<Body, reqwest::Error> {
        let limit = self.settings.max_body;
        let announced = response.content_length().unwrap_or(0);
        if announced > limit as u64 {
            return Ok(Body::TooLarge { limit });
        }
        // One allocation where the length is known: a body may hold a key, and a buffer that grows
        // leaves copies behind.
        let capacity = usize::try_from(announced).unwrap_or(0).max(4_096);
        let mut body = Zeroizing::new(Vec::with_capacity(capacity));
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Ok(Body::TooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Body::Read(body))
    }

    fn log(
        &self,
        call: &Call,
        url: &Url,
        tries: u32,
        started: Instant,
        outcome: &Result<Answer, Failure>,
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

fn build(host: &Host, settings: &Settings) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .http1_only()
        .dns_resolver(Arc::new(Resolver));
    if host.is_loopback() {
        // What stays on this machine is no proxy's business, whatever `NO_PROXY` says.
        builder = builder.no_proxy();
    }
    if host.is_loopback() && !host.is_https() {
        builder = builder.tls_backend_preconfigured(no_tls()?);
    }
    builder.build().map_err(|error| innermost(&error))
}

/// A TLS configuration that trusts nobody, for connections that use none: it spares the reading
/// of the system's root certificates.
fn no_tls() -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

fn is_temporary(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

impl Failure {
    fn of(error: &reqwest::Error) -> Self {
        let cause = if error.is_timeout() {
            Cause::TimedOut
        } else {
            chain(error).find_map(cause).unwrap_or(Cause::Cut)
        };
        Self {
            cause,
            detail: innermost(error),
            sent: !error.is_connect(),
        }
    }
}

/// Tells the cause by the types in a chain of errors.
fn cause(error: &(dyn StdError + 'static)) -> Option<Cause> {
    if error.is::<DnsFailure>() {
        return Some(Cause::Dns);
    }
    if error.is::<rustls::Error>() {
        return Some(Cause::Tls);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Cause::Refused),
            io::ErrorKind::TimedOut => Some(Cause::TimedOut),
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Some(Cause::NoRoute),
            _ => None,
        };
    }
    // The type is private to the library that makes it, so only its words are left.
    let proxy_refused = error.to_string().starts_with("tunnel error") && error.source().is_none();
    proxy_refused.then_some(Cause::Proxy)
}

/// Returns an error and everything that caused it, what an `io::Error` wraps included.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match wrapped {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// Returns the words of the first cause: the outer ones repeat the URL.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let last = chain(error).last().map(ToString::to_string);
    printable(&last.unwrap_or_default(), LONGEST_TEXT)
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the error that this answer is, whatever its status.
    pub(super) fn into_error(self) -> Error {
        let retry_after = self.retry_after();
        let refusal = Box::new(self.refusal());
        match self.status {
            StatusCode::UNAUTHORIZED => Error::Rejected(refusal),
            StatusCode::FORBIDDEN => Error::Forbidden(refusal),
            StatusCode::NOT_FOUND => Error::NotFound(refusal),
            StatusCode::CONFLICT => Error::Conflict(refusal),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Error::Invalid(refusal),
            StatusCode::TOO_MANY_REQUESTS => Error::RateLimited {
                refusal,
                retry_after,
            },
            status if is_temporary(status) => Error::Unavailable {
                refusal,
                retry_after,
            },
            _ => Error::Unexpected(refusal),
        }
    }

    pub(super) fn into_success(self) -> Result<Self, Error> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(self.into_error())
        }
    }

    /// Reads the body as JSON of a certain shape.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.shaped(self.value()?)
    }

    /// Reads a value out of the body as a certain shape, `null` members being as good as missing.
    pub(super) fn shaped<T: DeserializeOwned>(&self, value: Value) -> Result<T, Error> {
        // The reason may quote the server's text, so it is cleaned as that is.
        serde_json::from_value(without_nulls(value))
            .map_err(|error| self.misshapen(&error.to_string()))
    }

    /// Reads the body as any JSON.
    pub(super) fn value(&self) -> Result<Value, Error> {
        let body = match &self.body {
            Body::Read(body) => body,
            Body::TooLarge { limit } => {
                return Err(self.not_understood(Misfit::TooLarge { limit: *limit }));
            }
        };
        serde_json::from_slice(body).map_err(|_| {
            self.not_understood(Misfit::NotJson {
                content_type: self.header(header::CONTENT_TYPE.as_str(), 80),
            })
        })
    }

    /// Returns the error that a body of a wrong shape is.
    pub(super) fn misshapen(&self, what: &str) -> Error {
        self.not_understood(Misfit::Shape(printable(what, 200)))
    }

    pub(super) fn not_offered(&self, what: &'static str) -> Error {
        Error::NotOffered {
            origin: self.origin.clone(),
            what,
        }
    }

    fn not_understood(&self, misfit: Misfit) -> Error {
        Error::NotUnderstood {
            origin: self.origin.clone(),
            status: self.status.as_u16(),
            misfit,
            request_id: self.request_id(),
        }
    }

    fn not_redirected(self, url: &Url) -> Result<Self, Error> {
        if !self.status.is_redirection() {
            return Ok(self);
        }
        let location = self
            .headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|location| url.join(location).ok())
            .and_then(|mut location| {
                location.set_query(None);
                location.set_fragment(None);
                Host::try_from(location).ok()
            })
            .map(|host| host.origin());
        Err(Error::Redirected {
            origin: self.origin.clone(),
            status: self.status.as_u16(),
            location,
            request_id: self.request_id(),
        })
    }

    pub(super) fn refusal(&self) -> Refusal {
        let text = match &self.body {
            Body::Read(body) => ErrorText::read(body),
            Body::TooLarge { .. } => ErrorText::default(),
        };
        let clean = |text: Option<String>, limit| {
            text.map(|text| printable(&text, limit))
                .filter(|text| !text.is_empty())
        };
        Refusal {
            origin: self.origin.clone(),
            status: self.status.as_u16(),
            message: clean(text.message, LONGEST_TEXT),
            code: clean(text.code, 80),
            request_id: self.request_id(),
        }
    }

    /// Returns how long the server asks to wait. A date is counted from the server's own clock.
    fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        let now = self
            .headers
            .get(header::DATE)
            .and_then(|date| date.to_str().ok())
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .unwrap_or_else(SystemTime::now);
        retry::retry_after(value, now)
    }

    fn request_id(&self) -> Option<String> {
        self.header("x-request-id", 128)
    }

    /// Returns a header's text, cleaned and cut.
    fn header(&self, name: &str, limit: usize) -> Option<String> {
        let value = self.headers.get(name)?;
        let text = printable(&String::from_utf8_lossy(value.as_bytes()), limit);
        (!text.is_empty()).then_some(text)
    }
}

/// Drops members that are `null`: to a lenient reader they are as good as missing.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

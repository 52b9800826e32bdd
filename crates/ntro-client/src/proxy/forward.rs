//! One call: checked, forwarded, and its answer redacted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use ntro_base::Host;
use ntro_base::http::{HttpClient, root_cause, source_chain};
use tokio::sync::Semaphore;
use url::Url;

use super::admit::{OwnHosts, check_form, check_key_stays};
use super::ask;
use super::body::{AnswerBody, BodyError, ProxyBody, RequestBody};
use super::hang_up::HangUp;
use super::keys::{CurrentKey, KeyUnavailable, Keys, header_name};
use super::log::LogWriter;
use super::path::{is_below, normalize};
use super::record::{Record, UnderWay};
use super::refusal::Refusal;
use super::rules::Rule;
use super::{Child, Settings, headers};
use crate::api::identity_path;
use crate::redact::Redactor;

/// A body of this size is read before it is sent, so that it can be sent again with another key.
const SMALL_BODY: u64 = 64 << 10;
/// The calls on one HTTP/2 connection. Servers allow about a hundred, and further ones would wait.
const LARGEST_SHARE: usize = 64;

/// Forwards calls to the upstream server.
pub(super) struct Forwarder {
    settings: Settings,
    log: Option<LogWriter>,
    keys: Keys,
    /// Masks the tokens.
    tokens: Redactor,
    client: HttpClient,
    /// A connection to each call, for more calls than one HTTP/2 connection takes.
    separate: HttpClient,
    under_way: Arc<AtomicUsize>,
    /// The calls that may wait for a person.
    questions: Semaphore,
}

/// A request that may be forwarded, perhaps after a question.
struct Admitted<'a> {
    url: Url,
    /// The rule that a person must be asked by.
    asked_by: Option<&'a Rule>,
}

/// The body of a call.
enum Outgoing {
    Whole(Bytes),
    Stream(Option<Box<RequestBody>>),
}

impl Forwarder {
    pub(super) fn new(settings: Settings, log: Option<LogWriter>) -> Self {
        let client = || {
            HttpClient::new(
                &settings.calls.user_agent,
                settings.calls.connect_timeout,
                settings.calls.proxies.clone(),
                settings.calls.roots.clone(),
            )
        };
        let origin = settings.host.origin();
        Self {
            client: client().allow_http2(),
            separate: client(),
            keys: Keys::new(&settings, origin),
            tokens: Redactor::of_keys(settings.children.iter().map(|child| child.token.as_key())),
            settings,
            log,
            under_way: Arc::default(),
            questions: Semaphore::new(ask::MOST),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns whether some calls wait for a person.
    pub(super) fn asks(&self) -> bool {
        !self.settings.rules.ask.is_empty()
    }

    pub(super) fn questions(&self) -> &Semaphore {
        &self.questions
    }

    /// Answers a request that arrived at a listener.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        hosts: &OwnHosts,
        hang_up: Option<&HangUp>,
    ) -> Response<ProxyBody> {
        let (parts, body) = request.into_parts();
        let mut record = self.record(&parts);
        let admitted = match self.admit(&parts, hosts, &mut record) {
            Ok(Admitted {
                url,
                asked_by: Some(rule),
            }) => {
                // The body is not read meanwhile.
                let asked = self.ask(&parts, rule, hang_up, &mut record).await;
                asked.map(|()| url)
            }
            Ok(admitted) => Ok(admitted.url),
            Err(refusal) => Err(refusal),
        };
        match admitted {
            Ok(url) => self.forward(parts, Some(body), url, record).await,
            Err(refusal) => {
                record.refuse(refusal.status, refusal.code);
                refusal.response(self.settings.provider)
            }
        }
    }

    /// Calls the endpoint that describes the owner of the key. No rule applies.
    pub(super) async fn identity(&self) -> Response<ProxyBody> {
        let host = &self.settings.host;
        let path = format!("{}{}", host.path(), identity_path(self.settings.provider));
        let (parts, ()) = Request::new(()).into_parts();
        let mut record = Record::new(
            self.log.clone(),
            "GET",
            path.clone(),
            UnderWay::new(&self.under_way),
        );
        record.name("ntro", Some(std::process::id()));
        match upstream_url(host, &path, None) {
            Ok(url) => self.forward(parts, None, url, record).await,
            Err(refusal) => {
                record.refuse(refusal.status, refusal.code);
                refusal.response(self.settings.provider)
            }
        }
    }

    fn record(&self, parts: &Parts) -> Record {
        let path = normalize(parts.uri.path()).unwrap_or_else(|_| parts.uri.path().to_owned());
        let redacted = |path: String, redactor: &Redactor| match redactor.redact(path.as_bytes()) {
            Some(redacted) => String::from_utf8_lossy(&redacted).into_owned(),
            None => path,
        };
        let path = redacted(path, &self.tokens);
        let path = match self.keys.known() {
            Some(key) => redacted(path, key.redactor()),
            None => path,
        };
        let under_way = UnderWay::new(&self.under_way);
        Record::new(self.log.clone(), parts.method.as_str(), path, under_way)
    }

    /// Returns the URL to which a request is forwarded.
    fn admit(
        &self,
        parts: &Parts,
        hosts: &OwnHosts,
        record: &mut Record,
    ) -> Result<Admitted<'_>, Refusal> {
        check_form(parts, hosts)?;
        let Child { name, pid, .. } = self.settings.child_of(&parts.headers)?;
        record.name(name, *pid);
        if self.log.as_ref().is_some_and(LogWriter::is_broken) {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "log_unavailable",
                "the log of calls cannot be written, and no call goes unlogged",
            ));
        }
        let path = normalize(parts.uri.path())
            .map_err(|reason| Refusal::malformed(format!("{reason}, which is ambiguous")))?;
        let prefix = self.settings.host.path();
        if !is_below(&path, prefix) {
            return Err(Refusal::forbidden(
                "outside_prefix",
                format!("this proxy forwards only paths below `{prefix}`"),
            ));
        }
        check_key_stays(&parts.method, &path)?;
        if let Some(reason) = self.settings.rules.refusal(parts.method.as_str(), &path) {
            return Err(Refusal::forbidden(
                "refused_by_rule",
                format!(
                    "the proxy does not forward `{} {path}`: {reason}",
                    parts.method
                ),
            ));
        }
        let query = parts.uri.query();
        let holds_token = |text: &str| self.tokens.redact(text.as_bytes()).is_some();
        if holds_token(&path) || query.is_some_and(holds_token) {
            return Err(Refusal::malformed(
                "the URL holds the token, which belongs in the header alone",
            ));
        }
        let asked_by = self.settings.rules.asked_by(parts.method.as_str(), &path);
        let url = upstream_url(&self.settings.host, &path, query)?;
        Ok(Admitted { url, asked_by })
    }

    async fn forward(
        &self,
        parts: Parts,
        body: Option<Incoming>,
        url: Url,
        mut record: Record,
    ) -> Response<ProxyBody> {
        let answer = self.send(parts, body, url, &mut record).await;
        match answer {
            Ok((answer, key)) => self.pass_on(answer, &key, record),
            Err(refusal) => {
                record.status(refusal.status);
                record.fail(refusal.code);
                refusal.response(self.settings.provider)
            }
        }
    }

    /// Sends a request, and again if the key was replaced in the meantime.
    async fn send(
        &self,
        parts: Parts,
        body: Option<Incoming>,
        url: Url,
        record: &mut Record,
    ) -> Result<(reqwest::Response, Arc<CurrentKey>), Refusal> {
        let mut key = self.keys.current().await.map_err(|error| no_key(&error))?;
        let mut body = self.outgoing(body, &parts.headers, record).await?;
        let headers = headers::of_request(parts.headers, &self.tokens);
        loop {
            let mut request = reqwest::Request::new(parts.method.clone(), url.clone());
            *request.headers_mut() = headers.clone();
            request
                .headers_mut()
                .insert(header_name(self.settings.provider), key.header());
            *request.body_mut() = match &mut body {
                Outgoing::Whole(bytes) if bytes.is_empty() => None,
                Outgoing::Whole(bytes) => Some(bytes.clone().into()),
                Outgoing::Stream(stream) => {
                    stream.take().map(|stream| reqwest::Body::wrap(*stream))
                }
            };
            let client = self.client_for(&url).for_url(&url).map_err(|error| {
                Refusal::new(
                    StatusCode::BAD_GATEWAY,
                    "upstream_unreachable",
                    error.to_string(),
                )
            })?;
            let answer = client
                .execute(request)
                .await
                .map_err(|error| self.failure(&error))?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok((answer, key));
            }
            match (self.keys.after_rejection(&key).await, &body) {
                (Some(next), Outgoing::Whole(_)) => key = next,
                _ => return Ok((answer, key)),
            }
        }
    }

    async fn outgoing(
        &self,
        body: Option<Incoming>,
        headers: &HeaderMap,
        record: &Record,
    ) -> Result<Outgoing, Refusal> {
        let body = match body {
            Some(body) if !body.is_end_stream() => body,
            _ => return Ok(Outgoing::Whole(Bytes::new())),
        };
        let length = body
            .size_hint()
            .exact()
            .filter(|_| headers.contains_key(CONTENT_LENGTH));
        let body = RequestBody::new(
            body,
            self.tokens.for_another_stream(),
            Arc::clone(&record.sent),
            self.settings.timeouts.body,
        );
        if length.is_none_or(|length| length > SMALL_BODY) {
            return Ok(Outgoing::Stream(Some(Box::new(body))));
        }
        let whole = body.collect().await;
        whole.map(Outgoing::Whole).map_err(body_failure)
    }

    /// Returns the client for one more call.
    fn client_for(&self, url: &Url) -> &HttpClient {
        let is_crowded = self.under_way.load(Ordering::Relaxed) > LARGEST_SHARE;
        match url.scheme() == "https" && is_crowded {
            true => &self.separate,
            false => &self.client,
        }
    }

    /// Returns the answer for a request that could not be sent.
    fn failure(&self, error: &reqwest::Error) -> Refusal {
        let of_body = source_chain(error).find_map(|error| error.downcast_ref::<BodyError>());
        if let Some(error) = of_body {
            return body_failure(*error);
        }
        let origin = self.settings.host.origin();
        let detail = root_cause(error);
        let (status, code, what) = match (error.is_connect(), error.is_timeout()) {
            (_, true) => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_timed_out",
                format!("`{origin}` does not answer"),
            ),
            (true, _) => (
                StatusCode::BAD_GATEWAY,
                "upstream_unreachable",
                format!("cannot connect to `{origin}`: {detail}"),
            ),
            _ => (
                StatusCode::BAD_GATEWAY,
                "upstream_broke_off",
                format!("`{origin}` gave no answer: {detail}"),
            ),
        };
        Refusal::new(status, code, what)
    }

    fn pass_on(
        &self,
        answer: reqwest::Response,
        key: &CurrentKey,
        mut record: Record,
    ) -> Response<ProxyBody> {
        let answer: hyper::http::Response<reqwest::Body> = answer.into();
        let (mut parts, body) = answer.into_parts();
        let is_empty = body.is_end_stream();
        if !is_empty && headers::is_encoded(&parts.headers) {
            let refusal = Refusal::new(
                StatusCode::BAD_GATEWAY,
                "compressed_answer",
                "the server compresses its answer, in which the key could not be found",
            );
            record.status(refusal.status);
            record.fail(refusal.code);
            return refusal.response(self.settings.provider);
        }
        record.status(parts.status);
        parts.headers = headers::of_answer(parts.headers, key.redactor());
        let body = match is_empty {
            true => {
                record.complete();
                ProxyBody::empty()
            }
            false => {
                let redactor = match headers::is_event_stream(&parts.headers) {
                    true => key.redactor().for_event_stream(),
                    false => key.redactor().for_another_stream(),
                };
                ProxyBody::Answer(Box::new(AnswerBody::new(body, redactor, record)))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        response
    }
}

fn upstream_url(host: &Host, path: &str, query: Option<&str>) -> Result<Url, Refusal> {
    let origin = host.origin();
    let mut text = format!("{origin}{path}");
    if let Some(query) = query {
        text.push('?');
        text.push_str(query);
    }
    let url = Url::parse(&text).ok();
    // The URL standard would repair other paths than those that were checked.
    url.filter(|url| normalize(url.path()).as_deref() == Ok(path) && url.fragment().is_none())
        .ok_or_else(|| Refusal::malformed("the path is not that of a URL"))
}

fn no_key(error: &KeyUnavailable) -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "key_unavailable",
        format!("the key cannot be read: {error}"),
    )
}

fn body_failure(error: BodyError) -> Refusal {
    match error {
        BodyError::TimedOut => {
            let message = error.to_string();
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_timed_out", message)
        }
        BodyError::BrokeOff => Refusal::malformed(error.to_string()),
    }
}

/// Limits of time.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// The time for the head of a request to arrive, after the connection opens or an answer.
    pub head: Duration,
    /// The longest pause within the body of a request. Answers have no limit: a stream of events
    /// may be silent for hours.
    pub body: Duration,
    /// The time for a person to decide on a call.
    pub answer: Duration,
    /// The time for calls under way to finish after shutdown begins.
    pub drain: Duration,
    /// The time in which one look at the store is enough for all calls that were rejected.
    pub reread: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(60),
            body: Duration::from_mins(5),
            answer: Duration::from_mins(1),
            drain: Duration::from_secs(10),
            reread: Duration::from_secs(1),
        }
    }
}

//! One call: checked, forwarded, and its answer redacted.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, StatusCode};
use tokio::sync::Semaphore;

use super::admit::{OwnHosts, check_form, check_key_stays};
use super::ask;
use super::body::{AnswerBody, BodyError, ProxyBody, RequestBody};
use super::hang_up::HangUp;
use super::keys::{CurrentKey, KeyUnavailable, Keys, header_name};
use super::log::LogWriter;
use super::path::{is_below, normalize, target};
use super::record::{Record, UnderWay};
use super::refusal::Refusal;
use super::rules::Rule;
use super::upstream::{CallBody, CallError, Upstream, UpstreamBody};
use super::{Child, Settings, headers};
use crate::api::identity_path;
use crate::redact::Redactor;

/// A body of this size is read before it is sent, so that it can be sent again with another key.
const SMALL_BODY: u64 = 64 << 10;

/// Forwards calls to the upstream server.
pub(super) struct Forwarder {
    settings: Settings,
    log: Option<LogWriter>,
    keys: Keys,
    /// Masks the tokens.
    tokens: Redactor,
    upstream: Upstream,
    under_way: Arc<AtomicUsize>,
    /// The calls that may wait for a person.
    questions: Semaphore,
}

/// A request that may be forwarded, perhaps after a question.
struct Admitted<'a> {
    target: PathAndQuery,
    /// The rule that a person must be asked by.
    asked_by: Option<&'a Rule>,
}

impl Forwarder {
    pub(super) fn new(settings: Settings, log: Option<LogWriter>) -> Self {
        let under_way = Arc::default();
        Self {
            upstream: Upstream::new(&settings, &under_way),
            keys: Keys::new(&settings, settings.host.origin()),
            tokens: Redactor::of_keys(settings.children.iter().map(|child| child.token.as_key())),
            settings,
            log,
            under_way,
            questions: Semaphore::new(ask::MOST),
        }
    }

    /// Closes connections that were not used for long.
    pub(super) fn close_idle(&self) {
        self.upstream.close_idle();
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
        let path = normalize(parts.uri.path());
        let mut record = self.record(&parts, path.as_deref().unwrap_or(parts.uri.path()));
        let admitted = match self.admit(&parts, path, hosts, &mut record) {
            Ok(Admitted {
                target,
                asked_by: Some(rule),
            }) => {
                // The body is not read meanwhile.
                let asked = self.ask(&parts, rule, hang_up, &mut record).await;
                asked.map(|()| target)
            }
            Ok(admitted) => Ok(admitted.target),
            Err(refusal) => Err(refusal),
        };
        match admitted {
            Ok(target) => self.forward(parts, Some(body), target, record).await,
            Err(refusal) => {
                record.refuse(refusal.status, refusal.code);
                refusal.response(self.settings.provider)
            }
        }
    }

    /// Calls the endpoint that describes the owner of the key. No rule applies.
    pub(super) async fn identity(&self) -> Response<ProxyBody> {
        let prefix = self.settings.host.path();
        let path = format!("{prefix}{}", identity_path(self.settings.provider));
        let (parts, ()) = Request::new(()).into_parts();
        let mut record = Record::new(
            self.log.clone(),
            "GET",
            &path,
            UnderWay::new(&self.under_way),
        );
        record.name("ntro", Some(std::process::id()));
        match admitted_target(&path, None) {
            Ok(target) => self.forward(parts, None, target, record).await,
            Err(refusal) => {
                record.refuse(refusal.status, refusal.code);
                refusal.response(self.settings.provider)
            }
        }
    }

    /// Takes the path in its normal form, if it has one.
    fn record(&self, parts: &Parts, path: &str) -> Record {
        let masked = |path: &mut Cow<'_, str>, redactor: &Redactor| {
            if let Some(masked) = redactor.redact(path.as_bytes()) {
                *path = Cow::Owned(String::from_utf8_lossy(&masked).into_owned());
            }
        };
        let mut path = Cow::Borrowed(path);
        masked(&mut path, &self.tokens);
        if let Some(key) = self.keys.known() {
            masked(&mut path, key.redactor());
        }
        let under_way = UnderWay::new(&self.under_way);
        Record::new(self.log.clone(), parts.method.as_str(), &path, under_way)
    }

    /// Returns the target of the request to forward. Takes the path in its normal form.
    fn admit(
        &self,
        parts: &Parts,
        path: Result<String, &'static str>,
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
        let path =
            path.map_err(|reason| Refusal::malformed(format!("{reason}, which is ambiguous")))?;
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
        let target = admitted_target(&path, query)?;
        Ok(Admitted { target, asked_by })
    }

    async fn forward(
        &self,
        parts: Parts,
        body: Option<Incoming>,
        target: PathAndQuery,
        mut record: Record,
    ) -> Response<ProxyBody> {
        let answer = self.send(parts, body, target, &mut record).await;
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
        target: PathAndQuery,
        record: &mut Record,
    ) -> Result<(Response<UpstreamBody>, Arc<CurrentKey>), Refusal> {
        let mut key = self.keys.current().await.map_err(|error| no_key(&error))?;
        let mut body = self.outgoing(body, &parts.headers, record).await?;
        let mut headers = headers::of_request(parts.headers, &self.tokens);
        loop {
            // A body that is read while it is sent cannot be sent again.
            let again = match &body {
                CallBody::Whole(bytes) => Some((headers.clone(), bytes.clone())),
                CallBody::Stream(_) => None,
            };
            headers.insert(header_name(self.settings.provider), key.header());
            let mut request = Request::new(body);
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = target.clone().into();
            *request.headers_mut() = headers;
            let answer = self.upstream.call(request).await;
            let answer = answer.map_err(|error| self.failure(error))?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok((answer, key));
            }
            match (self.keys.after_rejection(&key).await, again) {
                (Some(next), Some((same, bytes))) => {
                    (key, headers, body) = (next, same, CallBody::Whole(bytes));
                }
                _ => return Ok((answer, key)),
            }
        }
    }

    async fn outgoing(
        &self,
        body: Option<Incoming>,
        headers: &HeaderMap,
        record: &mut Record,
    ) -> Result<CallBody, Refusal> {
        let body = match body {
            Some(body) if !body.is_end_stream() => body,
            _ => return Ok(CallBody::Whole(Bytes::new())),
        };
        let length = body
            .size_hint()
            .exact()
            .filter(|_| headers.contains_key(CONTENT_LENGTH));
        let body = RequestBody::new(
            body,
            self.tokens.for_another_stream(),
            record.count_sent(),
            self.settings.timeouts.body,
        );
        if length.is_none_or(|length| length > SMALL_BODY) {
            return Ok(CallBody::Stream(Box::new(body)));
        }
        let whole = body.collect().await;
        whole.map(CallBody::Whole).map_err(body_failure)
    }

    /// Returns the answer for a request that could not be sent.
    fn failure(&self, error: CallError) -> Refusal {
        let origin = self.settings.host.origin();
        let (status, code, what) = match error {
            CallError::Body(error) => return body_failure(error),
            CallError::TimedOut => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_timed_out",
                format!("`{origin}` does not answer"),
            ),
            CallError::Unreachable(detail) => (
                StatusCode::BAD_GATEWAY,
                "upstream_unreachable",
                format!("cannot connect to `{origin}`: {detail}"),
            ),
            CallError::Unusable(message) => {
                (StatusCode::BAD_GATEWAY, "upstream_unreachable", message)
            }
            CallError::BrokeOff(detail) => (
                StatusCode::BAD_GATEWAY,
                "upstream_broke_off",
                format!("`{origin}` gave no answer: {detail}"),
            ),
        };
        Refusal::new(status, code, what)
    }

    fn pass_on(
        &self,
        answer: Response<UpstreamBody>,
        key: &CurrentKey,
        mut record: Record,
    ) -> Response<ProxyBody> {
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

fn admitted_target(path: &str, query: Option<&str>) -> Result<PathAndQuery, Refusal> {
    target(path, query).ok_or_else(|| Refusal::malformed("the path is not that of a URL"))
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
    /// The time for which the server remembers a token as a tripwire: a key has at most 100, those of
    /// ended proxies included. Tokens are renewed in half of it.
    pub tripwire: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(60),
            body: Duration::from_mins(5),
            answer: Duration::from_mins(1),
            drain: Duration::from_secs(10),
            reread: Duration::from_secs(1),
            tripwire: Duration::from_hours(1),
        }
    }
}

//! The answer of a server, and the value or error in it.

use std::fmt::Display;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap};
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::error::{Error, Expected, InvalidResponse, Refusal, is_html};
use super::retry;
use super::settings::Report;
use ntro_base::wire::errors::ErrorText;
use ntro_base::{Host, Origin, printable, without_byte_order_mark};

/// The most bytes of a server's message.
const LONGEST_TEXT: usize = 500;

/// A complete answer of any status but 3xx.
pub(super) struct ServerResponse {
    pub(super) origin: Origin,
    pub(super) expected: Expected,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// Whether the server may have carried out an earlier try as well.
    pub(super) resent: bool,
    pub(super) report: Report,
    pub(super) warned: OnceLock<()>,
}

/// A body, if it was small enough to be read.
pub(super) enum Body {
    Read(Zeroizing<Vec<u8>>),
    TooLarge { limit: usize },
}

impl ServerResponse {
    /// Returns whether the same request may succeed a little later.
    pub(super) fn is_temporary(&self) -> bool {
        // 520 to 524 are Cloudflare's, for a server behind it.
        matches!(
            self.status.as_u16(),
            408 | 425 | 429 | 502 | 503 | 504 | 520..=524
        )
    }

    /// Returns the error for the answer's status.
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
            _ if self.is_temporary() => Error::Unavailable {
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

    /// Parses the body as JSON of a certain shape.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.shaped(self.value()?)
    }

    /// Converts a value of the body to a certain shape; `null` members count as missing.
    pub(super) fn shaped<T: DeserializeOwned>(&self, value: Value) -> Result<T, Error> {
        let shaped = serde_json::from_value(without_nulls(value));
        shaped.map_err(|error| self.misshapen(with_json_types(&error.to_string())))
    }

    /// Parses the body as JSON.
    pub(super) fn value(&self) -> Result<Value, Error> {
        let body = match &self.body {
            Body::Read(body) => body,
            Body::TooLarge { limit } => {
                return Err(self.not_understood(InvalidResponse::TooLarge { limit: *limit }));
            }
        };
        if let Some(encoding) = self.header(header::CONTENT_ENCODING.as_str(), 80)
            && !encoding.eq_ignore_ascii_case("identity")
        {
            return Err(self.not_understood(InvalidResponse::Compressed { encoding }));
        }
        let body = without_byte_order_mark(body);
        if body.is_empty() {
            return Err(self.not_understood(InvalidResponse::Empty));
        }
        serde_json::from_slice(body).map_err(|_| {
            self.not_understood(InvalidResponse::NotJson {
                content_type: self.header(header::CONTENT_TYPE.as_str(), 80),
            })
        })
    }

    /// Parses the body as a list, bare or in `{"items": […]}`, and keeps its `null`s.
    pub(super) fn items(&self) -> Result<Vec<Value>, Error> {
        match self.value()? {
            Value::Array(items) => Ok(items),
            Value::Object(mut page) => match page.remove("items") {
                Some(Value::Array(items)) => Ok(items),
                _ => Err(self.no_list()),
            },
            _ => Err(self.no_list()),
        }
    }

    /// Returns the error for another value than a list, such as a server's message.
    fn no_list(&self) -> Error {
        match self.refusal().message {
            Some(message) => self.misshapen(format!("it is not a list, but says: {message}")),
            None => self.misshapen("it is not a list"),
        }
    }

    /// Returns the error for a body of a wrong shape. The reason may quote the server, so it is
    /// cleaned.
    pub(super) fn misshapen(&self, reason: impl Display) -> Error {
        self.not_understood(InvalidResponse::Shape(printable(&reason.to_string(), 200)))
    }

    pub(super) fn not_offered(&self, what: &'static str) -> Error {
        Error::NotOffered {
            origin: self.origin.clone(),
            what,
        }
    }

    /// Returns the response, or the error if its status says that the server lacks the endpoint.
    pub(super) fn offered(self, what: &'static str) -> Result<Self, Error> {
        match self.status {
            StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED => Err(self.not_offered(what)),
            _ => Ok(self),
        }
    }

    fn not_understood(&self, misfit: InvalidResponse) -> Error {
        Error::NotUnderstood {
            origin: self.origin.clone(),
            expected: Box::new(self.expected.clone()),
            status: self.status.as_u16(),
            misfit,
            request_id: self.request_id(),
        }
    }

    pub(super) fn not_redirected(self, url: &Url) -> Result<Self, Error> {
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
            });
        let target = location.as_ref();
        let target = target.filter(|target| target.origin() == self.origin);
        // The target with the path of the call below its base.
        let path = url.path().strip_prefix(self.expected.host.path());
        let base = target.and_then(|target| target.as_str().strip_suffix(path?));
        let base = base.and_then(|base| base.parse::<Host>().ok());
        Err(Error::Redirected {
            origin: self.origin.clone(),
            status: self.status.as_u16(),
            base: base
                .filter(|base| *base != self.expected.host)
                .map(Box::new),
            target: target.cloned().map(Box::new),
            location: location.map(|host| host.origin()),
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
            expected: self.expected.clone(),
            status: self.status.as_u16(),
            message: clean(text.message, LONGEST_TEXT),
            code: clean(text.code, 80),
            request_id: self.request_id(),
            is_web_page: self
                .header(header::CONTENT_TYPE.as_str(), 80)
                .is_some_and(|kind| is_html(&kind)),
        }
    }

    /// Reports, at most once, something odd in the answer that does not stop the call.
    pub(super) fn warn(&self, what: &str) {
        if self.warned.set(()).is_ok() {
            (self.report)(&format!("`{}` {what}", self.origin));
        }
    }

    /// Returns how long the server asks to wait. A date is counted from the server's own clock.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        let now = self
            .headers
            .get(header::DATE)
            .and_then(|date| date.to_str().ok())
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .unwrap_or_else(SystemTime::now);
        retry::retry_after(value, now)
    }

    pub(super) fn request_id(&self) -> Option<String> {
        self.header("x-request-id", 128)
    }

    /// Returns a header's text, cleaned and cut.
    fn header(&self, name: &str, limit: usize) -> Option<String> {
        let value = self.headers.get(name)?;
        let text = printable(&String::from_utf8_lossy(value.as_bytes()), limit);
        (!text.is_empty()).then_some(text)
    }
}

/// Replaces the names of Rust types in serde's message with those of JSON.
fn with_json_types(message: &str) -> String {
    let message = match message.split_once("expected struct ") {
        Some((before, after)) => {
            let name = after.find(|c: char| !c.is_alphanumeric() && c != '_');
            let rest = &after[name.unwrap_or(after.len())..];
            format!("{before}expected an object{rest}")
        }
        None => message.to_owned(),
    };
    let message = message.replace("type: map,", "type: object,");
    message.replace("type: sequence,", "type: array,")
}

/// Removes members that are `null`.
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

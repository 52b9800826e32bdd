//! The answers of the proxy itself, in the error format of the provider.

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use ntro_base::Provider;
use ntro_base::wire::errors::{Messages, NtropiiError, OntoraError};

use super::body::ProxyBody;

/// A call that the proxy does not forward.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// A stable name, for programs and for the log.
    pub(super) code: &'static str,
    /// One sentence.
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", message)
    }

    pub(super) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(super) fn response(&self, provider: Provider) -> Response<ProxyBody> {
        let reason = self.status.canonical_reason().unwrap_or_default();
        let message = self.message.clone();
        let body = match provider {
            Provider::Ntropii => serde_json::to_vec(&NtropiiError {
                status_code: self.status.as_u16(),
                message: Messages::One(message),
                error: Some(reason.to_owned()),
            }),
            Provider::Ontora => serde_json::to_vec(&OntoraError {
                detail: message,
                code: self.code.to_owned(),
            }),
        };
        let body = Bytes::from(body.unwrap_or_default());
        let mut response = Response::new(ProxyBody::Whole(Some(body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-ntro-proxy", HeaderValue::from_static(self.code));
        if self.status == StatusCode::UNAUTHORIZED && provider == Provider::Ntropii {
            headers.insert("www-authenticate", HeaderValue::from_static("Bearer"));
        }
        response
    }
}

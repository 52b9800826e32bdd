use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde_json::Value;

use crate::http::api_error::{ApiError, Detail, ErrorShape, json, reason};
use crate::http::authentication::bearer;
use crate::http::dialect::{Credential, Dialect};
use crate::server::Authority;
use ntro_base::Provider;
use ntro_base::wire::errors::{InvalidField, Messages, NtropiiError};

/// The serialized body for an unknown key: unauthenticated callers can cause it, so it must be
/// cheap.
const UNAUTHENTICATED: &str = concat!(
    r#"{"statusCode":401,"message":"Invalid or missing API key","#,
    r#""error":"Unauthorized"}"#
);

/// Ntropii's dialect.
#[derive(Clone)]
pub(crate) struct Ntropii(pub(super) Authority);

impl Dialect for Ntropii {
    const PROVIDER: Provider = Provider::Ntropii;
    const IDENTITY: &'static str = "/v1/me";

    fn credential(headers: &HeaderMap) -> Option<Credential<'_>> {
        bearer(headers)
    }

    fn authority(&self) -> &Authority {
        &self.0
    }
}

impl ErrorShape for Ntropii {
    fn render(error: ApiError) -> (StatusCode, Bytes) {
        if error.is_unauthenticated() {
            return (error.status, Bytes::from_static(UNAUTHENTICATED.as_bytes()));
        }
        match error.detail {
            Detail::Message(message) => body(error.status, Messages::One(message.into())),
            Detail::Fields(fields) => {
                let messages = fields.iter().map(sentence).collect();
                body(StatusCode::BAD_REQUEST, Messages::Many(messages))
            }
        }
    }
}

fn body(status: StatusCode, message: Messages) -> (StatusCode, Bytes) {
    let body = NtropiiError {
        status_code: status.as_u16(),
        message,
        error: Some(reason(status)),
    };
    (status, json(&body))
}

/// Returns `name: field required`.
fn sentence(field: &InvalidField) -> String {
    let location: Vec<_> = field
        .loc
        .iter()
        .skip(1)
        .map(|part| match part {
            Value::String(name) => name.clone(),
            other => other.to_string(),
        })
        .collect();
    if location.is_empty() {
        field.msg.clone()
    } else {
        format!("{}: {}", location.join("."), field.msg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_body_equals_rendered_one() {
        let ApiError { status, detail, .. } = ApiError::unauthenticated();
        let Detail::Message(message) = detail else {
            panic!("no message");
        };
        let rendered = body(status, Messages::One(message.into()));
        assert_eq!(Ntropii::render(ApiError::unauthenticated()), rendered);
    }
}

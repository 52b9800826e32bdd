use axum::http::StatusCode;
use bytes::Bytes;

use crate::http::api_error::{ApiError, Detail, ErrorShape, json, reason};
use ntro_base::wire::errors::{MergedError, OntoraInvalid};

/// The serialized body for an unknown key: unauthenticated callers can cause it, so it must be
/// cheap.
const UNAUTHENTICATED: &str = concat!(
    r#"{"statusCode":401,"message":"Invalid or missing API key","error":"Unauthorized","#,
    r#""detail":"Invalid or missing API key","code":"invalid_api_key"}"#
);

/// The shape that clients of both providers understand.
pub(crate) struct MergedShape;

impl ErrorShape for MergedShape {
    fn render(error: ApiError) -> (StatusCode, Bytes) {
        let body = if error.is_unauthenticated() {
            Bytes::from_static(UNAUTHENTICATED.as_bytes())
        } else {
            body(error.status, error.code, error.detail)
        };
        (error.status, body)
    }
}

fn body(status: StatusCode, code: &str, detail: Detail) -> Bytes {
    match detail {
        Detail::Message(message) => json(&MergedError {
            status_code: status.as_u16(),
            message: message.to_string(),
            error: reason(status),
            detail: message.into(),
            code: code.to_owned(),
        }),
        Detail::Fields(detail) => json(&OntoraInvalid { detail }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_body_equals_rendered_one() {
        let ApiError {
            status,
            code,
            detail,
            ..
        } = ApiError::unauthenticated();
        let (_, ready) = MergedShape::render(ApiError::unauthenticated());
        assert_eq!(ready, body(status, code, detail));
    }
}

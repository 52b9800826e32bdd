use axum::http::StatusCode;
use bytes::Bytes;

use crate::http::api_error::{ApiError, Detail, ErrorShape, json, reason};
use ntro_base::wire::errors::{MergedError, OntoraInvalid};

/// The shape that clients of both providers understand.
pub(crate) struct MergedShape;

impl ErrorShape for MergedShape {
    fn render(error: ApiError) -> (StatusCode, Bytes) {
        let ApiError { status, code, .. } = error;
        let body = match error.detail {
            Detail::Message(message) => json(&MergedError {
                status_code: status.as_u16(),
                message: message.to_string(),
                error: reason(status),
                detail: message.into(),
                code: code.to_owned(),
            }),
            Detail::Fields(detail) => json(&OntoraInvalid { detail }),
        };
        (status, body)
    }
}

use axum::http::{HeaderMap, HeaderName, StatusCode};
use bytes::Bytes;

use crate::http::api_error::{ApiError, Detail, ErrorShape, json};
use crate::http::authentication::{bearer, only};
use crate::http::dialect::{Credential, Dialect};
use crate::server::Authority;
use ntro_base::Provider;
use ntro_base::wire::errors::{OntoraError, OntoraInvalid};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The serialized body for an unknown key: unauthenticated callers can cause it, so it must be
/// cheap.
const UNAUTHENTICATED: &str = r#"{"detail":"Invalid or missing API key","code":"invalid_api_key"}"#;

/// Ontora's dialect.
#[derive(Clone)]
pub(crate) struct Ontora(pub(super) Authority);

impl Dialect for Ontora {
    const PROVIDER: Provider = Provider::Ontora;
    const IDENTITY: &'static str = "/v1/api-keys/current";

    /// Looks at `X-API-Key` alone if it is present, and at `Authorization` otherwise.
    fn credential(headers: &HeaderMap) -> Option<Credential<'_>> {
        if headers.contains_key(&API_KEY) {
            return Some(Credential::Key(only(headers, &API_KEY)?, Provider::Ontora));
        }
        bearer(headers)
    }

    fn authority(&self) -> &Authority {
        &self.0
    }
}

impl ErrorShape for Ontora {
    fn render(error: ApiError) -> (StatusCode, Bytes) {
        let body = if error.is_unauthenticated() {
            Bytes::from_static(UNAUTHENTICATED.as_bytes())
        } else {
            body(error.code, error.detail)
        };
        (error.status, body)
    }
}

fn body(code: &str, detail: Detail) -> Bytes {
    match detail {
        Detail::Message(message) => json(&OntoraError {
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
        let ApiError { code, detail, .. } = ApiError::unauthenticated();
        let (_, ready) = Ontora::render(ApiError::unauthenticated());
        assert_eq!(ready, body(code, detail));
    }
}

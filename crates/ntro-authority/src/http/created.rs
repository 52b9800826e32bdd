use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::registry::{Answered, MintOutcome, MintedKey};
use crate::store::ApiKeyRecord;
use ntro_base::ApiKey;

/// The response has a key in it, so no cache may keep it.
const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];
/// The response repeats that of an earlier request, without the key.
const REPLAYED: [(HeaderName, &str); 1] =
    [(HeaderName::from_static("idempotency-replayed"), "true")];

/// Returns the response with a new key.
pub(crate) fn created<B: Serialize>(
    minted: &MintedKey,
    render: impl FnOnce(&ApiKeyRecord, Option<&ApiKey>) -> B,
) -> Response {
    let body = Json(render(&minted.record, Some(&minted.key)));
    (StatusCode::CREATED, NO_STORE, body).into_response()
}

/// Returns the response with a body that no key is in.
pub(crate) fn answered(answer: Answered) -> Response {
    const JSON: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];

    match answer {
        Answered::New(body) => (StatusCode::CREATED, JSON, body).into_response(),
        Answered::Replayed(body) => (StatusCode::CREATED, JSON, REPLAYED, body).into_response(),
    }
}

/// Returns the response to a request that may repeat an earlier one.
pub(crate) fn created_or_replayed<B: Serialize>(
    outcome: &MintOutcome,
    render: impl FnOnce(&ApiKeyRecord, Option<&ApiKey>) -> B,
) -> Response {
    match outcome {
        MintOutcome::New(minted) => created(minted, render),
        MintOutcome::Replayed(record) => {
            let as_created = ApiKeyRecord {
                last_used_at: None,
                last_used_address: None,
                last_used_agent: None,
                revoked_at: None,
                ..ApiKeyRecord::clone(record)
            };
            let body = Json(render(&as_created, None));
            (StatusCode::CREATED, REPLAYED, body).into_response()
        }
    }
}

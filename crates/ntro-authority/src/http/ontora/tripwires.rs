//! Tripwires: a key of either provider names the one-off tokens of its proxies, so that a token that
//! is presented to the authority is noticed.

use axum::extract::State;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Result;
use super::rotation::own_error;
use crate::http::api_error::ApiError;
use crate::http::authentication::AnyKey;
use crate::http::created::answered;
use crate::http::extract::{IdempotencyKey, Object};
use crate::http::fields::{FieldReader, own_digest};
use crate::server::Authority;
use crate::store::TokenHash;

/// Thirty days: longer than any program with a one-off token runs.
const LONGEST_LIFE: u32 = 30 * 24 * 60 * 60;
const CREATION: &str = "POST /v1/api-keys/current/tripwires";

/// `POST /v1/api-keys/current/tripwires`
pub(super) async fn create(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    idempotency: IdempotencyKey,
    Object(body): Object,
) -> Result<Response> {
    let mut fields = FieldReader::of(&body);
    let hash = fields.text("sha256").and_then(|text| {
        let hash = sha256(text);
        if hash.is_none() {
            let msg = "must be 64 hexadecimal digits";
            fields.reject(["sha256".into()], msg, "value_error");
        }
        hash
    });
    let seconds = fields.seconds("expires_in_seconds", LONGEST_LIFE);
    fields.only(&["sha256", "expires_in_seconds"]);
    fields.done()?;
    let (Some(hash), Some(seconds)) = (hash, seconds) else {
        return Err(ApiError::internal().into());
    };
    let life = SignedDuration::from_secs(seconds.into());
    let registry = authority.registry(key.actor());
    let digest = own_digest(idempotency, key.id, CREATION, Some(&body));
    let text = |expires_at: Timestamp| {
        json!({"sha256": body["sha256"], "expires_at": expires_at.to_string()}).to_string()
    };
    let set = registry.answer_set_tripwire(key.id, TokenHash(hash), life, digest, text);
    let field = ["body", "expires_in_seconds"];
    Ok(answered(
        set.await.map_err(|error| own_error(error, field))?,
    ))
}

fn sha256(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::try_from(value(pair[0])? << 4 | value(pair[1])?).ok()?;
    }
    Some(hash)
}

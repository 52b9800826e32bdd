//! Rotation: a key of either provider creates its successor, and one of the two revokes the other.
//!
//! A successor is pending until it has revoked its predecessor. A key has at most one pending
//! successor, which is revoked with it. So a client that was killed in mid-rotation leaves no unused
//! key behind if it returns before the key expires. A successor does not expire with its
//! predecessor: the client may have stored either of the two, and the authority does not know which.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Result, render};
use crate::error::Error;
use crate::http::api_error::ApiError;
use crate::http::authentication::AnyKey;
use crate::http::created::created;
use crate::http::extract::{IdempotencyKey, Object, Query};
use crate::http::fields::{FieldReader, own_digest};
use crate::http::ntropii;
use crate::server::Authority;
use crate::store::Predecessor;
use crate::verify::CachedKey;
use ntro_base::Provider;

const ROTATION: &str = "POST /v1/api-keys/current/rotate";
/// A month, as uses are counted.
const LONGEST_QUIET: u32 = 31 * 24 * 60 * 60;

/// `POST /v1/api-keys/current/rotate`
pub(super) async fn rotate(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    idempotency: IdempotencyKey,
) -> Result<Response> {
    let digest = own_digest(idempotency, key.id, ROTATION, None);
    let registry = authority.registry(key.actor());
    let minted = registry.create_successor(key.id, digest).await;
    let minted = minted.map_err(|error| own_error(error, ["key", "expires_at"]))?;
    Ok(match minted.record.provider {
        Provider::Ntropii => created(&minted, ntropii::render::key),
        Provider::Ontora => created(&minted, |key, secret| {
            render::key(key, &authority.settings().region, secret)
        }),
    })
}

/// `DELETE /v1/api-keys/current/successor`: the old key undoes the rotation.
pub(super) async fn revoke_successor(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    idempotency: IdempotencyKey,
) -> Result<StatusCode> {
    let digest = own_digest(idempotency, key.id, ROTATION, None);
    let registry = authority.registry(key.actor());
    registry.revoke_successor(key.id, digest).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/api-keys/current/predecessor?quiet_for_seconds=…`: the new key completes the rotation,
/// with the condition only if the old one was not used for that long.
pub(super) async fn revoke_predecessor(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    Query(condition): Query<QuietQuery>,
) -> Result<StatusCode> {
    let registry = authority.registry(key.actor());
    let revoked = match condition.seconds()? {
        None => registry.revoke_predecessor(key.id).await,
        Some(seconds) => {
            recorded_predecessor(&authority, &key).await?;
            registry.revoke_quiet_predecessor(key.id, seconds).await
        }
    };
    revoked.map_err(|error| own_error(error, ["key", "expires_at"]))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct QuietQuery {
    quiet_for_seconds: Option<String>,
}

impl QuietQuery {
    fn seconds(&self) -> Result<Option<u32>> {
        let Some(text) = &self.quiet_for_seconds else {
            return Ok(None);
        };
        let seconds = text.parse::<u32>().ok();
        let seconds = seconds.filter(|one| (1..=LONGEST_QUIET).contains(one));
        if seconds.is_none() {
            let msg = format!("must be an integer from 1 to {LONGEST_QUIET}");
            let location = ["query".into(), "quiet_for_seconds".into()];
            return Err(ApiError::invalid_field(location, msg, "value_error").into());
        }
        Ok(seconds)
    }
}

/// `GET /v1/api-keys/current/predecessor`: the new key asks whether the old one is still in use.
pub(super) async fn predecessor(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
) -> Result<Json<Value>> {
    shown_predecessor(&authority, &key).await
}

/// `PUT /v1/api-keys/current/predecessor`: the new key lets the old one end when it is not used any
/// more.
pub(super) async fn end_when_quiet(
    State(authority): State<Authority>,
    AnyKey(key): AnyKey,
    Object(body): Object,
) -> Result<Json<Value>> {
    const FIELD: &str = "end_when_quiet_for_seconds";
    let mut fields = FieldReader::of(&body);
    let seconds = match body.get(FIELD) {
        None | Some(Value::Null) => None,
        Some(_) => fields.seconds(FIELD, LONGEST_QUIET),
    };
    fields.only(&[FIELD]);
    fields.done()?;
    let registry = authority.registry(key.actor());
    registry.set_quiet_end(key.id, seconds).await?;
    shown_predecessor(&authority, &key).await
}

/// Returns the predecessor of a key, with its last use.
async fn recorded_predecessor(
    authority: &Authority,
    key: &CachedKey,
) -> Result<Option<Predecessor>> {
    let registry = authority.registry(key.actor());
    let Some(found) = registry.predecessor(key.id).await? else {
        return Ok(None);
    };
    authority.record_use_of(found.key.id).await;
    Ok(registry.predecessor(key.id).await?)
}

async fn shown_predecessor(authority: &Authority, key: &CachedKey) -> Result<Json<Value>> {
    let found = recorded_predecessor(authority, key).await?;
    let found = found.ok_or(Error::NoPredecessor)?;
    let idle_from = found.last_used_at.unwrap_or(found.key.created_at);
    let quiet = Timestamp::now().duration_since(idle_from).as_secs();
    Ok(Json(json!({
        "id": found.key.id.to_string(),
        "name": found.key.name.as_str(),
        "key_prefix": found.key.prefix.as_str(),
        "last_used_at": found.last_used_at.map(|at| at.to_string()),
        "last_used_address": found.key.last_used_address,
        "last_used_agent": found.key.last_used_agent,
        "quiet_for_seconds": quiet.max(0),
        "end_when_quiet_for_seconds": found.quiet_seconds,
    })))
}

/// Returns 401 for a key that was revoked after its verification, as for one revoked before. `life`
/// names the field that sets the life of a new key.
pub(super) fn own_error(error: Error, life: [&str; 2]) -> ApiError {
    match error {
        Error::NoKey { .. } => ApiError::unauthenticated(),
        error => ApiError::about_life(error, life),
    }
}

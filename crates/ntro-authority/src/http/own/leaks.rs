//! `POST /v1/leaks` and `POST /v1/leaks/github`: reports of keys that strangers can read.
//!
//! Each reported key is revoked. Its holder could revoke it as well, so a report needs no other right.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::MergedShape;
use crate::actor::{Actor, LeakReporter};
use crate::admin_auth::Denied;
use crate::github_keys::GithubKeys;
use crate::http::api_error::{ApiError, ErrorResponse};
use crate::http::authentication::{only, source};
use crate::http::extract::{read_body, read_object};
use crate::metrics::METRICS;
use crate::registry::LeakedKey;
use crate::server::Authority;
use crate::store::{LeakOutcome, LeakPlace};
use ntro_base::without_byte_order_mark;

/// The most keys in a finder's report.
const MOST_KEYS: usize = 100;
/// The largest report of GitHub.
const LARGEST_REPORT: usize = 1024 * 1024;
/// The longest text about a place that is recorded, in characters.
const LONGEST_TEXT: usize = 2_000;

const KEY_ID: HeaderName = HeaderName::from_static("github-public-key-identifier");
const SIGNATURE: HeaderName = HeaderName::from_static("github-public-key-signature");

/// One key of GitHub's report.
#[derive(Deserialize)]
struct Match {
    token: Zeroizing<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    url: Option<String>,
    source: Option<String>,
}

/// Whether one key of GitHub's report is a key of this authority.
#[derive(Serialize)]
struct Feedback {
    token_hash: String,
    token_type: String,
    label: &'static str,
}

/// What became of each key of a finder's report, in the order of the report.
#[derive(Serialize)]
struct Results {
    results: Vec<Outcome>,
}

#[derive(Serialize)]
struct Outcome {
    outcome: &'static str,
}

/// Revokes the keys in a report without a signature.
pub(super) async fn report(
    State(authority): State<Authority>,
    request: Request,
) -> Result<Response, ErrorResponse<MergedShape>> {
    if let Some(source) = source(request.extensions()) {
        authority.take_failure(source).map_err(ApiError::limited)?;
    }
    let body = read_object(request, &authority).await?;
    let place = LeakPlace {
        url: body.get("url").and_then(Value::as_str).map(clipped),
        source: None,
    };
    let keys = keys(body.get("keys"))?;
    let leaks = keys.into_iter().map(|text| LeakedKey {
        text,
        place: place.clone(),
    });
    let outcomes = revoke(&authority, LeakReporter::Finder, leaks.collect()).await?;
    let results = outcomes.into_iter().map(|outcome| Outcome {
        outcome: match outcome {
            LeakOutcome::Revoked => "revoked",
            LeakOutcome::RevokedBefore => "already_revoked",
            LeakOutcome::Unknown => "unknown",
        },
    });
    Ok(answer(&Results {
        results: results.collect(),
    }))
}

/// Revokes the keys that GitHub's secret scanning has found.
pub(super) async fn report_of_github(
    State(authority): State<Authority>,
    request: Request,
) -> Result<Response, ErrorResponse<MergedShape>> {
    let keys = authority.github_keys();
    let keys = keys.ok_or_else(|| ApiError::not_found("Not found"))?;
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts.clone(), body);
    let body = read_body(request, &authority, LARGEST_REPORT).await?;
    if let Err(error) = check_signature(keys, &parts, &body).await {
        return Err(authority
            .count_failure(source(&parts.extensions), error)
            .into());
    }
    let matches: Vec<Match> = serde_json::from_slice(without_byte_order_mark(&body))
        .map_err(|_| ApiError::malformed("The report must be a list of matches in JSON"))?;
    let leaks = matches.iter().map(|found| LeakedKey {
        text: &found.token,
        place: LeakPlace {
            url: found.url.as_deref().map(clipped),
            source: found.source.as_deref().map(clipped),
        },
    });
    let outcomes = revoke(&authority, LeakReporter::Github, leaks.collect()).await?;
    let feedback = matches.into_iter().zip(outcomes);
    let feedback = feedback.map(|(found, outcome)| Feedback {
        token_hash: sha256(&found.token),
        token_type: found.kind.unwrap_or_default(),
        label: match outcome {
            LeakOutcome::Unknown => "false_positive",
            LeakOutcome::Revoked | LeakOutcome::RevokedBefore => "true_positive",
        },
    });
    Ok(answer(&feedback.collect::<Vec<_>>()))
}

async fn revoke(
    authority: &Authority,
    reporter: LeakReporter,
    leaks: Vec<LeakedKey<'_>>,
) -> Result<Vec<LeakOutcome>, ApiError> {
    let registry = authority.registry(Actor::LeakReport(reporter));
    let outcomes = registry.report_leaks(leaks).await?;
    let is_revoked = |outcome: &&LeakOutcome| **outcome == LeakOutcome::Revoked;
    METRICS
        .leaked_keys
        .add(outcomes.iter().filter(is_revoked).count());
    Ok(outcomes)
}

async fn check_signature(keys: &GithubKeys, parts: &Parts, body: &[u8]) -> Result<(), ApiError> {
    let key = only(&parts.headers, &KEY_ID);
    let signature = only(&parts.headers, &SIGNATURE);
    let (Some(key), Some(signature)) = (key, signature) else {
        return Err(ApiError::bad_signature());
    };
    match keys.verify(body, key, signature).await {
        Ok(()) => Ok(()),
        Err(Denied::Invalid(_)) => Err(ApiError::bad_signature()),
        Err(denied @ Denied::Unavailable) => Err(denied.into()),
    }
}

/// Reads the keys of a finder's report.
fn keys(value: Option<&Value>) -> Result<Vec<&str>, ApiError> {
    let rejected =
        |msg: String, kind| ApiError::invalid_field(["body".into(), "keys".into()], msg, kind);
    let value = value.ok_or_else(|| rejected("field required".to_owned(), "missing"))?;
    let texts = value.as_array().and_then(|keys| {
        let texts = keys.iter().map(Value::as_str);
        texts.collect::<Option<Vec<_>>>()
    });
    let texts =
        texts.ok_or_else(|| rejected("must be a list of strings".to_owned(), "list_type"))?;
    match texts.len() {
        1..=MOST_KEYS => Ok(texts),
        _ => Err(rejected(
            format!("must have 1 to {MOST_KEYS} keys"),
            "value_error",
        )),
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

fn sha256(text: &str) -> String {
    let mut digits = String::new();
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        // Writing to a string always succeeds.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

fn answer(body: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

//! Errors as callers see them: the one place that decides their status, code and message.
//!
//! An [`ApiError`] knows no dialect. The [`ErrorResponse`] of a dialect's handlers and extractors
//! renders it in the [`ErrorShape`] of that dialect.

use std::borrow::Cow;
use std::marker::PhantomData;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::admin_auth::Denied;
use crate::error::Error;
use crate::store::{PolicyViolation, PolicyViolations, StoreError};
use crate::verify::VerifyRefusal;
use crate::verify::rate_limits::{Exceeded, WINDOW};
use ntro_base::wire::errors::InvalidField;

/// The message for a key that is missing, malformed, unknown, revoked, expired, or the other
/// provider's: it does not reveal which.
const UNKNOWN_KEY: &str = "Invalid or missing API key";

const UNCONFIRMED: &str =
    "The change is written, but may not be in effect on every server yet: repeat the request";

const INVALID_TOKEN: &str = "invalid_token";

/// The limit that a request has exceeded, and its state (draft-ietf-httpapi-ratelimit-headers-11).
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// An error body that callers understand.
pub(crate) trait ErrorShape: 'static {
    /// Returns the status and the body of an error.
    fn render(error: ApiError) -> (StatusCode, Bytes);
}

/// An error in the shape `E`.
pub(crate) struct ErrorResponse<E>(ApiError, PhantomData<fn() -> E>);

impl<E, F: Into<ApiError>> From<F> for ErrorResponse<E> {
    fn from(error: F) -> Self {
        Self(error.into(), PhantomData)
    }
}

impl<E: ErrorShape> IntoResponse for ErrorResponse<E> {
    fn into_response(self) -> Response {
        let retry = self.0.retry;
        let challenge = self.0.challenge();
        let (status, body) = E::render(self.0);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        match retry {
            Retry::Never => {}
            Retry::Soon => drop(headers.insert(RETRY_AFTER, HeaderValue::from(1))),
            Retry::Below(exceeded) => limit_headers(headers, &exceeded),
        }
        response
    }
}

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: Detail,
    retry: Retry,
}

/// When the same request may succeed.
#[derive(Clone, Copy, Debug)]
enum Retry {
    Never,
    Soon,
    /// Below a rate limit again.
    Below(Exceeded),
}

/// The content of an [`ApiError`].
#[derive(Clone, Debug)]
pub(crate) enum Detail {
    Message(Cow<'static, str>),
    Fields(Vec<InvalidField>),
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            detail: Detail::Message(message.into()),
            retry: Retry::Never,
        }
    }

    /// 401: no credential, or an invalid one.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", UNKNOWN_KEY)
    }

    /// 401: an invalid token.
    pub(crate) fn bad_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            INVALID_TOKEN,
            "Invalid or expired token",
        )
    }

    /// 401: a body that its sender has not signed.
    pub(crate) fn bad_signature() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_signature",
            "Invalid or missing signature",
        )
    }

    /// 403: a valid key at an endpoint that needs a user's token.
    pub(crate) fn jwt_required() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "jwt_required",
            "This endpoint takes an admin's token, not an API key",
        )
    }

    /// 403: a user who is not an admin.
    pub(crate) fn admin_required() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "admin_required",
            "Only an admin of the organisation may do this",
        )
    }

    /// 403: a workspace of another organisation, or one that does not exist.
    pub(crate) fn workspace_forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "workspace_forbidden",
            "Workspace not accessible with these credentials",
        )
    }

    /// 403: a key without a scope that is required.
    pub(crate) fn insufficient_scope() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "This API key lacks the required scope",
        )
    }

    /// 403: a key that is refused until an admin resumes it.
    fn key_paused() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "key_paused",
            "This API key is paused",
        )
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
        )
    }

    /// 400: a malformed request.
    pub(crate) fn malformed(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", message)
    }

    /// 415: a body that is declared as something else than JSON.
    pub(crate) fn not_json() -> Self {
        Self::unsupported_media_type(
            "The body must be JSON, with the Content-Type application/json",
        )
    }

    /// 415: a body that is not declared as a form.
    pub(crate) fn not_form() -> Self {
        Self::unsupported_media_type(
            "The body must be a form, with the Content-Type application/x-www-form-urlencoded",
        )
    }

    fn unsupported_media_type(message: &'static str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            message,
        )
    }

    /// 501.
    pub(crate) fn not_implemented(message: &'static str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", message)
    }

    /// 408: a body that did not arrive in time.
    pub(crate) fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "The body took too long to arrive",
        )
    }

    /// 413.
    pub(crate) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "The body is too large",
        )
    }

    /// 409.
    pub(crate) fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 429.
    pub(crate) fn limited(exceeded: Exceeded) -> Self {
        let mut error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests: wait and try again",
        );
        error.retry = Retry::Below(exceeded);
        error
    }

    /// 422 for Ontora, 400 for Ntropii: invalid fields.
    pub(crate) fn invalid(fields: Vec<InvalidField>) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            code: "invalid_request",
            detail: Detail::Fields(fields),
            retry: Retry::Never,
        }
    }

    /// Returns [`ApiError::invalid`] with one field.
    pub(crate) fn invalid_field(
        location: impl IntoIterator<Item = Value>,
        msg: impl Into<String>,
        kind: &str,
    ) -> Self {
        Self::invalid(vec![InvalidField {
            loc: location.into_iter().collect(),
            msg: msg.into(),
            kind: kind.to_owned(),
        }])
    }

    /// Returns the error of a request for a key, with the name of the field that sets its life.
    pub(crate) fn about_life(error: Error, life: [&str; 2]) -> Self {
        match error {
            Error::Store(StoreError::Policy(violations)) => Self::policy(&violations, life),
            error => error.into(),
        }
    }

    /// 422 for Ontora, 400 for Ntropii: fields that the policy of the tenant does not allow, each
    /// with the name of the rule.
    fn policy(PolicyViolations(violations): &PolicyViolations, life: [&str; 2]) -> Self {
        let fields = violations.iter().map(|violation| {
            let location = match violation {
                PolicyViolation::Scope(_) => [life[0], "scopes"],
                _ => life,
            };
            InvalidField {
                loc: location.map(Value::from).to_vec(),
                msg: violation.to_string(),
                kind: violation.rule().to_owned(),
            }
        });
        Self::invalid(fields.collect())
    }

    /// 500: the body does not reveal the cause.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal server error",
        )
    }

    /// 503.
    pub(crate) fn unavailable() -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Temporarily unavailable: try again",
        );
        error.retry = Retry::Soon;
        error
    }

    /// Returns the challenge that RFC 9110 demands of a 401.
    fn challenge(&self) -> Option<&'static str> {
        match self.code {
            _ if !self.is_failed_authentication() => None,
            INVALID_TOKEN => Some(r#"Bearer realm="ntro", error="invalid_token""#),
            _ => Some(r#"Bearer realm="ntro""#),
        }
    }

    /// Returns whether the caller's credential is missing or invalid.
    pub(crate) fn is_failed_authentication(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// Returns whether this is [`ApiError::unauthenticated`].
    pub(crate) fn is_unauthenticated(&self) -> bool {
        matches!(self.detail, Detail::Message(Cow::Borrowed(UNKNOWN_KEY)))
    }
}

/// Describes a limit, and when a request is below it again.
fn limit_headers(headers: &mut HeaderMap, exceeded: &Exceeded) {
    let Exceeded {
        policy,
        per_minute,
        wait,
    } = exceeded;
    let name = policy.as_str();
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let seconds = seconds.max(1);
    let window = WINDOW.as_secs();
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    for (header, value) in [
        (
            RATE_LIMIT_POLICY,
            format!("\"{name}\";q={per_minute};w={window}"),
        ),
        (RATE_LIMIT, format!("\"{name}\";r=0;t={seconds}")),
    ] {
        // Names and numbers are always valid.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header, value);
        }
    }
}

/// Returns an error as a sentence.
fn capitalised(error: &Error) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => text,
    }
}

/// Returns the reason phrase of a status.
pub(crate) fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().to_owned()
}

/// Writes an error body.
pub(crate) fn json(body: &impl Serialize) -> Bytes {
    // Strings and numbers always serialize.
    serde_json::to_vec(body).unwrap_or_default().into()
}

impl From<VerifyRefusal> for ApiError {
    fn from(refusal: VerifyRefusal) -> Self {
        match refusal {
            VerifyRefusal::Unknown => Self::unauthenticated(),
            VerifyRefusal::Suspended => Self::new(
                StatusCode::FORBIDDEN,
                "tenant_suspended",
                "The tenant of this API key is not active",
            ),
            VerifyRefusal::Paused => Self::key_paused(),
            VerifyRefusal::Limited(exceeded) => Self::limited(exceeded),
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Invalid(reason) => {
                tracing::debug!(reason, "token refused");
                Self::bad_token()
            }
            Denied::Unavailable => Self::unavailable(),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let field = |name: &str, error: &Error| {
            Self::invalid_field(
                ["body".into(), name.into()],
                error.to_string(),
                "value_error",
            )
        };
        match &error {
            Error::NoOrganisation { .. } => Self::not_found("Organisation not found"),
            Error::NoTenant { .. } => Self::not_found("Tenant not found"),
            Error::NoMember { .. } => Self::not_found("Member not found"),
            Error::NoKey { .. } => Self::not_found("API key not found"),
            Error::NoAuditLog { .. } => Self::not_found("Audit log not found"),
            Error::TenantClosed { .. } | Error::TenantGone { .. } => {
                Self::conflict("tenant_suspended", error.to_string())
            }
            Error::KeyPaused => Self::key_paused(),
            Error::KeyRevoked { .. } => Self::conflict("key_revoked", capitalised(&error)),
            Error::PausedWithAnother => Self::conflict("paused_with_another", capitalised(&error)),
            Error::RotationOff => Self::new(
                StatusCode::FORBIDDEN,
                "rotation_off",
                "This API key may not rotate itself",
            ),
            Error::ChildKey => Self::new(StatusCode::FORBIDDEN, "child_key", capitalised(&error)),
            Error::ExceedsParent(_) => {
                Self::new(StatusCode::FORBIDDEN, "exceeds_parent", capitalised(&error))
            }
            Error::TooManyChildren => Self::conflict("too_many_children", capitalised(&error)),
            Error::TooManyTripwires => Self::conflict("too_many_tripwires", capitalised(&error)),
            Error::TripwireTaken => Self::conflict("already_exists", capitalised(&error)),
            Error::RotationPending => Self::conflict(
                "rotation_pending",
                "This API key has yet to end its predecessor before it can have a successor",
            ),
            Error::NoPredecessor => Self::not_found("This API key has no predecessor any more"),
            Error::PredecessorInUse => Self::conflict(
                "predecessor_in_use",
                "The predecessor of this API key is still in use",
            ),
            Error::Reused => Self::conflict(
                "idempotency_conflict",
                "The idempotency key was used for another request",
            ),
            Error::Store(StoreError::Conflict { what, name }) => {
                Self::conflict("already_exists", format!("There is already {what} {name}"))
            }
            Error::Store(StoreError::Policy(violations)) => {
                Self::policy(violations, ["body", "expires_in_days"])
            }
            Error::Store(StoreError::Nul) => Self::invalid_field(
                ["body".into()],
                "contains U+0000, which is not allowed there",
                "value_error",
            ),
            Error::Slug { .. } => field("slug", &error),
            Error::Name(_) => field("name", &error),
            Error::PlatformConfigMissing
            | Error::PlatformConfig(_)
            | Error::PlatformConfigForbidden => field("dataPlatformConfigId", &error),
            Error::ScopesMissing | Error::ScopesUnknown => field("scopes", &error),
            Error::Life { .. } => field("expires_in_days", &error),
            Error::Store(StoreError::Unconfirmed { .. }) => {
                tracing::error!(%error, "a change is not confirmed");
                Self {
                    code: "revocation_unconfirmed",
                    detail: Detail::Message(UNCONFIRMED.into()),
                    ..Self::unavailable()
                }
            }
            Error::Store(error) if error.is_unavailability() => {
                tracing::error!(%error, "the registry is not available");
                Self::unavailable()
            }
            _ => {
                tracing::error!(%error, "request failed");
                Self::internal()
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

//! Errors as callers see them: the one place that makes a status and a body of them.
//!
//! A handler returns an [`ApiError`] and does not know in which dialect it will be told: that
//! depends on the path, and [`ApiError::render`] decides it.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::admin_auth::Denied;
use crate::error::Error;
use crate::store::StoreError;
use crate::verify::VerifyRefusal;
use ntro_base::wire::errors::{
    InvalidField, MergedError, Messages, NtropiiError, OntoraError, OntoraInvalid,
};

/// The same for keys that are missing, garbage, unknown, revoked, expired, or the other provider's.
const UNKNOWN_KEY: &str = "Invalid or missing API key";

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    says: Says,
    retry_after: Option<u64>,
}

#[derive(Clone, Debug)]
enum Says {
    One(Cow<'static, str>),
    Fields(Vec<InvalidField>),
}

/// Whose error body a path's callers understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Ntropii,
    Ontora,
    Either,
}

impl Family {
    fn of(path: &str) -> Self {
        let below = |root: &str| {
            path.strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if below("/v1/me") || below("/v1/workspace") {
            Self::Ntropii
        } else if below("/v1/api-keys") || below("/v1/workspaces") {
            Self::Ontora
        } else {
            Self::Either
        }
    }
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, says: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            says: Says::One(says.into()),
            retry_after: None,
        }
    }

    /// 401: no credentials, or none that are good.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", UNKNOWN_KEY)
    }

    /// 401: a token that is not good.
    pub(crate) fn bad_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "Invalid or expired token",
        )
    }

    /// 403: a good key where only a person's token will do.
    pub(crate) fn jwt_required() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "jwt_required",
            "This endpoint takes an admin's token, not an API key",
        )
    }

    /// 403: a person who is no admin.
    pub(crate) fn admin_required() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "admin_required",
            "Only an admin of the organisation may do this",
        )
    }

    /// 403: somebody else's workspace, or one that is not there.
    pub(crate) fn workspace_forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "workspace_forbidden",
            "Workspace not accessible with these credentials",
        )
    }

    /// 404.
    pub(crate) fn not_found(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
        )
    }

    /// 400: a body that cannot be read at all.
    pub(crate) fn malformed(why: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", why)
    }

    /// 408: a body that does not come.
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
    pub(crate) fn conflict(code: &'static str, what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, what)
    }

    /// 429.
    pub(crate) fn limited(wait: Duration) -> Self {
        let mut error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests: wait and try again",
        );
        let rounded_up = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        error.retry_after = Some(rounded_up.max(1));
        error
    }

    /// 422 for Ontora, 400 for Ntropii: a body whose fields are not what they should be.
    pub(crate) fn invalid(fields: Vec<InvalidField>) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            code: "invalid_request",
            says: Says::Fields(fields),
            retry_after: None,
        }
    }

    /// As [`ApiError::invalid`], for one field.
    pub(crate) fn invalid_field(
        place: impl IntoIterator<Item = Value>,
        msg: impl Into<String>,
        kind: &str,
    ) -> Self {
        Self::invalid(vec![InvalidField {
            loc: place.into_iter().collect(),
            msg: msg.into(),
            kind: kind.to_owned(),
        }])
    }

    /// 500: the body says nothing of the cause.
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
        error.retry_after = Some(1);
        error
    }

    /// Whether the caller has failed to show good credentials.
    pub(crate) fn is_failed_authentication(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// Makes the answer for callers of `path`.
    pub(crate) fn render(self, path: &str) -> Response {
        let family = Family::of(path);
        let retry_after = self.retry_after;
        let (status, body) = match self.says {
            Says::One(Cow::Borrowed(UNKNOWN_KEY)) => (self.status, unknown_key(family)),
            _ => {
                let (status, body) = self.status_and_body(family);
                (status, body.into())
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn status_and_body(self, family: Family) -> (StatusCode, Vec<u8>) {
        match (family, self.says) {
            (Family::Ntropii, Says::One(message)) => (
                self.status,
                ntropii(self.status, Messages::One(message.into())),
            ),
            (Family::Ntropii, Says::Fields(fields)) => {
                let messages = fields.iter().map(sentence).collect();
                let status = StatusCode::BAD_REQUEST;
                (status, ntropii(status, Messages::Many(messages)))
            }
            (Family::Ontora, Says::One(detail)) => {
                let body = OntoraError {
                    detail: detail.into(),
                    code: self.code.to_owned(),
                };
                (self.status, json(&body))
            }
            (Family::Ontora | Family::Either, Says::Fields(detail)) => {
                (self.status, json(&OntoraInvalid { detail }))
            }
            (Family::Either, Says::One(message)) => {
                let body = MergedError {
                    status_code: self.status.as_u16(),
                    message: message.to_string(),
                    error: reason(self.status),
                    detail: message.into(),
                    code: self.code.to_owned(),
                };
                (self.status, json(&body))
            }
        }
    }
}

/// Returns the body that says [`UNKNOWN_KEY`], made once for each family: strangers may ask for
/// it as often as they like, so it should cost little.
fn unknown_key(family: Family) -> Bytes {
    static BODIES: [OnceLock<Bytes>; 3] = [const { OnceLock::new() }; 3];
    BODIES[family as usize]
        .get_or_init(|| ApiError::unauthenticated().status_and_body(family).1.into())
        .clone()
}

fn ntropii(status: StatusCode, message: Messages) -> Vec<u8> {
    json(&NtropiiError {
        status_code: status.as_u16(),
        message,
        error: Some(reason(status)),
    })
}

fn json(body: &impl Serialize) -> Vec<u8> {
    // Strings and numbers always become JSON.
    serde_json::to_vec(body).unwrap_or_default()
}

fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().to_owned()
}

/// `name: field required`
fn sentence(field: &InvalidField) -> String {
    let place: Vec<_> = field
        .loc
        .iter()
        .skip(1)
        .map(|part| match part {
            Value::String(name) => name.clone(),
            other => other.to_string(),
        })
        .collect();
    if place.is_empty() {
        field.msg.clone()
    } else {
        format!("{}: {}", place.join("."), field.msg)
    }
}

impl IntoResponse for ApiError {
    /// Leaves the error where the outermost layer finds it; that one knows the path.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
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
            VerifyRefusal::Limited(wait) => Self::limited(wait),
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
            Error::NoKey { .. } => Self::not_found("API key not found"),
            Error::TenantClosed { .. } | Error::TenantGone { .. } => {
                Self::conflict("tenant_suspended", error.to_string())
            }
            Error::RotationOff => Self::new(
                StatusCode::FORBIDDEN,
                "rotation_off",
                "This API key may not rotate itself",
            ),
            Error::RotationPending => Self::conflict(
                "rotation_pending",
                "This API key has yet to end its predecessor before it can have a successor",
            ),
            Error::Reused => Self::conflict(
                "idempotency_conflict",
                "The idempotency key was used for another request",
            ),
            Error::Store(StoreError::Conflict { what, name }) => {
                Self::conflict("already_exists", format!("There is already {what} {name}"))
            }
            Error::Slug { .. } => field("slug", &error),
            Error::Name(_) => field("name", &error),
            Error::PlatformConfigMissing
            | Error::PlatformConfig(_)
            | Error::PlatformConfigForbidden => field("dataPlatformConfigId", &error),
            Error::ScopesMissing | Error::ScopesUnknown => field("scopes", &error),
            Error::Life { .. } => field("expires_in_days", &error),
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

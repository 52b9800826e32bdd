//! The parts of a request that endpoints read: path, query, body, idempotency key.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{self, DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::form_urlencoded;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::api_error::{ApiError, ErrorResponse};
use super::authentication::only;
use super::dialect::Dialect;
use crate::server::Authority;
use ntro_base::without_byte_order_mark;

/// The largest body that most endpoints read.
const LARGEST_BODY: usize = 64 * 1024;
const LONGEST_IDEMPOTENCY_KEY: usize = 255;

macro_rules! readable {
    ($(#[$doc:meta])* $name:ident, $message:literal) => {
        $(#[$doc])*
        pub(crate) struct $name<T>(pub(crate) T);

        impl<T: DeserializeOwned + Send, D: Dialect> FromRequestParts<D> for $name<T> {
            type Rejection = ErrorResponse<D>;

            async fn from_request_parts(
                parts: &mut Parts,
                dialect: &D,
            ) -> Result<Self, ErrorResponse<D>> {
                let found = extract::$name::from_request_parts(parts, dialect).await;
                found
                    .map(|extract::$name(found)| Self(found))
                    .map_err(|_| ApiError::malformed($message).into())
            }
        }
    };
}

readable! {
    /// The parameters in the path.
    Path, "The path cannot be read"
}

readable! {
    /// The query string.
    Query, "The query cannot be read"
}

/// A body that is a JSON object.
pub(crate) struct Object(pub(crate) Map<String, Value>);

impl<D: Dialect> FromRequest<D> for Object {
    type Rejection = ErrorResponse<D>;

    async fn from_request(request: Request, dialect: &D) -> Result<Self, ErrorResponse<D>> {
        Ok(Self(read_object(request, dialect.authority()).await?))
    }
}

/// Reads a body that is a JSON object.
pub(crate) async fn read_object(
    request: Request,
    authority: &Authority,
) -> Result<Map<String, Value>, ApiError> {
    if !may_be_json(request.headers()) {
        return Err(ApiError::not_json());
    }
    let bytes = read_body(request, authority, LARGEST_BODY).await?;
    match serde_json::from_slice(without_byte_order_mark(&bytes)) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::malformed("The body must be a JSON object")),
        Err(_) => Err(ApiError::malformed("The body is not JSON")),
    }
}

/// Reads a body of bounded length in bounded time.
pub(crate) async fn read_body(
    mut request: Request,
    authority: &Authority,
    largest: usize,
) -> Result<Bytes, ApiError> {
    DefaultBodyLimit::max(largest).apply(&mut request);
    let body = Bytes::from_request(request, &());
    tokio::time::timeout(authority.settings().timeout, body)
        .await
        .map_err(|_| ApiError::too_slow())?
        .map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                ApiError::too_large()
            }
            _ => ApiError::malformed("The body breaks off or is malformed"),
        })
}

/// Reads the parameter of a form that must have it once.
pub(crate) async fn form_parameter(
    request: Request,
    authority: &Authority,
    name: &str,
) -> Result<Zeroizing<String>, ApiError> {
    let media_type = only(request.headers(), &CONTENT_TYPE).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(ApiError::not_form());
    }
    let body = read_body(request, authority, LARGEST_BODY).await?;
    let mut values = form_urlencoded::parse(&body).filter(|(found, _)| found == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Ok(Zeroizing::new(value.into_owned())),
        _ => Err(ApiError::malformed("The form needs the parameter once")),
    }
}

/// Returns whether a body with these headers may be JSON. Without a `Content-Type` it may.
fn may_be_json(headers: &HeaderMap) -> bool {
    if !headers.contains_key(CONTENT_TYPE) {
        return true;
    }
    let Some(media_type) = only(headers, &CONTENT_TYPE) else {
        return false;
    };
    let mut parts = media_type.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_json = match name.strip_prefix("application/") {
        Some("json") => true,
        Some(other) => other.ends_with("+json") && !other.contains(char::is_whitespace),
        None => false,
    };
    // JSON is UTF-8; the parameter is common all the same.
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
                charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// The `Idempotency-Key`, if the request has one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<D: Dialect> FromRequestParts<D> for IdempotencyKey {
    type Rejection = ErrorResponse<D>;

    async fn from_request_parts(parts: &mut Parts, _: &D) -> Result<Self, ErrorResponse<D>> {
        const NAME: HeaderName = HeaderName::from_static("idempotency-key");
        if !parts.headers.contains_key(&NAME) {
            return Ok(Self(None));
        }
        match only(&parts.headers, &NAME) {
            Some(key) if (1..=LONGEST_IDEMPOTENCY_KEY).contains(&key.len()) => {
                Ok(Self(Some(key.to_owned())))
            }
            _ => Err(ApiError::invalid_field(
                ["header".into(), NAME.as_str().into()],
                "must have 1 to 255 visible characters",
                "value_error",
            )
            .into()),
        }
    }
}

/// Parses an id: a UUID in any case, with or without the prefix of its kind.
pub(crate) fn parse_id(text: &str, prefix: &str) -> Option<Uuid> {
    let text = text.strip_prefix(prefix).unwrap_or(text);
    // `Uuid` would also accept braces, `urn:` and a UUID without dashes.
    (text.len() == 36).then(|| Uuid::try_parse(text).ok())?
}

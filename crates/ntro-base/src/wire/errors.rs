//! The error bodies of both systems, and a lenient reader for them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::without_byte_order_mark;

/// Ntropii's body: `{"statusCode": 404, "message": "…", "error": "Not Found"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct NtropiiError {
    /// The HTTP status again.
    pub status_code: u16,
    /// One sentence, or one for each invalid field.
    pub message: Messages,
    /// The status text; absent from some 401 responses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One message or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Messages {
    /// `"…"`
    One(String),
    /// `["…", "…"]`
    Many(Vec<String>),
}

/// Ontora's body: `{"detail": "…", "code": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OntoraError {
    /// One sentence.
    pub detail: String,
    /// A stable name for programs.
    pub code: String,
}

/// Ontora's body for status 422.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OntoraInvalid {
    /// One item for each invalid field.
    pub detail: Vec<InvalidField>,
}

/// One invalid field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvalidField {
    /// Its location: `["body", "scopes", 0]`.
    pub loc: Vec<Value>,
    /// The problem.
    pub msg: String,
    /// A stable name for programs.
    #[serde(rename = "type")]
    pub kind: String,
}

/// An error body for clients of both systems, where the path does not say which system the client
/// uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MergedError {
    /// As in [`NtropiiError`].
    pub status_code: u16,
    /// As in [`NtropiiError`].
    pub message: String,
    /// As in [`NtropiiError`].
    pub error: String,
    /// As in [`OntoraError`].
    pub detail: String,
    /// As in [`OntoraError`].
    pub code: String,
}

/// The parts of an error body that could be read, whatever its format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorText {
    /// One sentence for people, if there is one.
    pub message: Option<String>,
    /// The server's name for the error, if there is one.
    pub code: Option<String>,
}

impl ErrorText {
    /// Reads an error body of either system. A body that is not JSON gives no message: it comes
    /// from a proxy and does not help the user.
    ///
    /// The text comes from the server: remove control characters before showing it on a terminal.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(body)) =
            serde_json::from_slice::<Value>(without_byte_order_mark(body))
        else {
            return Self::default();
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let code = body.get("code").and_then(text);
        let detail = match body.get("detail") {
            Some(Value::String(detail)) => Some(detail.clone()),
            Some(Value::Array(fields)) => joined(fields.iter().filter_map(field)),
            Some(Value::Object(detail)) => {
                return Self {
                    message: detail.get("message").and_then(text),
                    code: detail.get("code").and_then(text).or(code),
                };
            }
            _ => None,
        };
        let message = match body.get("message") {
            Some(Value::Array(messages)) => joined(messages.iter().filter_map(text)),
            Some(message) => text(message),
            None => None,
        };
        Self {
            message: message.or(detail),
            code,
        }
    }
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Formats `name: field required`, without the leading `body` of the location.
fn field(item: &Value) -> Option<String> {
    let item: InvalidField = serde_json::from_value(item.clone()).ok()?;
    let place: Vec<_> = item
        .loc
        .iter()
        .filter(|part| part.as_str() != Some("body"))
        .map(|part| {
            part.as_str()
                .map_or_else(|| part.to_string(), str::to_owned)
        })
        .collect();
    Some(format!("{}: {}", place.join("."), item.msg))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> (Option<String>, Option<String>) {
        let text = ErrorText::read(body.to_string().as_bytes());
        (text.message, text.code)
    }

    #[test]
    fn every_format_gives_message() {
        let some = |text: &str| Some(text.to_owned());
        for (body, expected) in [
            (
                json!({"statusCode": 404, "message": "No such tenant", "error": "Not Found"}),
                (some("No such tenant"), None),
            ),
            (
                json!({"statusCode": 400, "message": ["a is bad", "b is bad"], "error": "Bad Request"}),
                (some("a is bad; b is bad"), None),
            ),
            (
                json!({"detail": "Revoked", "code": "invalid_api_key"}),
                (some("Revoked"), some("invalid_api_key")),
            ),
            (
                json!({"detail": [{"loc": ["body", "topics", 0, "name"], "msg": "field required", "type": "missing"}]}),
                (some("topics.0.name: field required"), None),
            ),
            (
                json!({"detail": {"message": "Locked", "code": "campaign_locked"}}),
                (some("Locked"), some("campaign_locked")),
            ),
            (json!({"message": null}), (None, None)),
            (json!(["x"]), (None, None)),
        ] {
            assert_eq!(read(&body), expected, "{body}");
        }
        assert_eq!(ErrorText::read(b"<html>"), ErrorText::default());
        assert_eq!(ErrorText::read(b""), ErrorText::default());
    }

    #[test]
    fn written_bodies_match_api() {
        let error = NtropiiError {
            status_code: 401,
            message: Messages::One("Invalid or missing API key".into()),
            error: Some("Unauthorized".into()),
        };
        assert_eq!(
            serde_json::to_value(&error).unwrap(),
            json!({"statusCode": 401, "message": "Invalid or missing API key", "error": "Unauthorized"})
        );
        let merged = MergedError {
            status_code: 404,
            message: "m".into(),
            error: "Not Found".into(),
            detail: "m".into(),
            code: "not_found".into(),
        };
        assert_eq!(
            serde_json::to_value(&merged).unwrap(),
            json!({"statusCode": 404, "message": "m", "error": "Not Found", "detail": "m", "code": "not_found"})
        );
        let invalid = OntoraInvalid {
            detail: vec![InvalidField {
                loc: vec![json!("body"), json!("name")],
                msg: "field required".into(),
                kind: "missing".into(),
            }],
        };
        assert_eq!(
            serde_json::to_value(&invalid).unwrap(),
            json!({"detail": [{"loc": ["body", "name"], "msg": "field required", "type": "missing"}]})
        );
    }
}

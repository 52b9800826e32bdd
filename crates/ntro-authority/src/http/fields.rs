//! Request bodies, read field by field, so that one error lists every invalid field.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Map, Value};

use super::api_error::ApiError;
use super::authentication::Session;
use super::extract::IdempotencyKey;
use crate::registry::{LONGEST_LIFE_IN_DAYS, RequestDigest};
use crate::store::KeyPolicy;
use ntro_base::wire::errors::InvalidField;
use ntro_base::{KeyName, Scope};

/// Reads the fields of a body, and collects the invalid ones.
pub(crate) struct FieldReader<'a> {
    body: &'a Map<String, Value>,
    invalid: Vec<InvalidField>,
}

impl<'a> FieldReader<'a> {
    pub(crate) fn of(body: &'a Map<String, Value>) -> Self {
        Self {
            body,
            invalid: Vec::new(),
        }
    }

    /// Records that `body.<location>` is invalid.
    pub(crate) fn reject(
        &mut self,
        location: impl IntoIterator<Item = Value>,
        msg: impl Into<String>,
        kind: &str,
    ) {
        let loc = std::iter::once(Value::from("body"))
            .chain(location)
            .collect();
        self.invalid.push(InvalidField {
            loc,
            msg: msg.into(),
            kind: kind.to_owned(),
        });
    }

    /// Returns a field that is present and not null.
    fn field(&self, name: &str) -> Option<&'a Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    /// Reads an optional string.
    pub(crate) fn optional_text(&mut self, name: &str) -> Option<&'a str> {
        let value = self.field(name)?;
        let Some(text) = value.as_str() else {
            self.reject([name.into()], "must be a string", "string_type");
            return None;
        };
        // PostgreSQL cannot hold one.
        if text.contains('\0') {
            self.reject(
                [name.into()],
                "contains U+0000, which is not allowed there",
                "value_error",
            );
            return None;
        }
        Some(text)
    }

    /// Reads a required string.
    pub(crate) fn text(&mut self, name: &str) -> Option<&'a str> {
        if self.field(name).is_none() {
            self.reject([name.into()], "field required", "missing");
            return None;
        }
        self.optional_text(name)
    }

    /// Reads a required string and parses it.
    pub(crate) fn parsed<T>(&mut self, name: &str) -> Option<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        match self.text(name)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.reject([name.into()], T::Err::to_string(&error), "value_error");
                None
            }
        }
    }

    /// Reads the display name of a key.
    pub(crate) fn key_name(&mut self) -> Option<KeyName> {
        self.parsed("name")
    }

    /// Reads the display name of a key, if there is one.
    pub(crate) fn optional_key_name(&mut self) -> Option<KeyName> {
        self.field("name").and_then(|_| self.key_name())
    }

    /// Reads the seconds until something expires.
    pub(crate) fn seconds(&mut self, name: &str, longest: u32) -> Option<u32> {
        let Some(value) = self.field(name) else {
            self.reject([name.into()], "field required", "missing");
            return None;
        };
        let seconds = value
            .as_u64()
            .and_then(|seconds| u32::try_from(seconds).ok());
        let seconds = seconds.filter(|seconds| (1..=longest).contains(seconds));
        if seconds.is_none() {
            let msg = format!("must be an integer from 1 to {longest}");
            self.reject([name.into()], msg, "value_error");
        }
        seconds
    }

    /// Reads the days until a key expires; `Some(None)` if it never does.
    pub(crate) fn days(&mut self, name: &str) -> Option<Option<u32>> {
        let Some(value) = self.field(name) else {
            return Some(None);
        };
        let days = value.as_u64().and_then(|days| u32::try_from(days).ok());
        match days {
            Some(days @ 1..=LONGEST_LIFE_IN_DAYS) => Some(Some(days)),
            _ => {
                let msg = format!("must be an integer from 1 to {LONGEST_LIFE_IN_DAYS}, or null");
                self.reject([name.into()], msg, "value_error");
                None
            }
        }
    }

    /// Reads whether a key may rotate itself; the default is true.
    pub(crate) fn may_rotate(&mut self, name: &str) -> Option<bool> {
        self.flag(name, true)
    }

    /// Reads an optional boolean.
    fn flag(&mut self, name: &str, default: bool) -> Option<bool> {
        let Some(value) = self.field(name) else {
            return Some(default);
        };
        if value.as_bool().is_none() {
            self.reject([name.into()], "must be a boolean", "bool_type");
        }
        value.as_bool()
    }

    /// Reads the scopes of a key: at least one, all known; drops duplicates.
    pub(crate) fn scopes(&mut self) -> Option<Vec<Scope>> {
        self.scopes_in("scopes")
    }

    fn scopes_in(&mut self, field: &str) -> Option<Vec<Scope>> {
        let Some(value) = self.field(field) else {
            self.reject([field.into()], "field required", "missing");
            return None;
        };
        let Some(names) = value.as_array() else {
            self.reject([field.into()], "must be a list of strings", "list_type");
            return None;
        };
        if names.is_empty() {
            self.reject([field.into()], "needs at least one scope", "too_short");
            return None;
        }
        let mut scopes = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match name.as_str().map(str::parse::<Scope>) {
                Some(Ok(scope)) if scopes.contains(&scope) => {}
                Some(Ok(scope)) => scopes.push(scope),
                Some(Err(error)) => {
                    self.reject([field.into(), index.into()], error.to_string(), "enum");
                }
                None => self.reject(
                    [field.into(), index.into()],
                    "must be a string",
                    "string_type",
                ),
            }
        }
        Some(scopes)
    }

    /// Reads scopes as [`FieldReader::scopes`] does, if there are any.
    pub(crate) fn optional_scopes(&mut self) -> Option<Vec<Scope>> {
        self.field("scopes").and_then(|_| self.scopes())
    }

    /// Reads a policy from fields with these names. Those that are missing are rules that it lacks.
    pub(crate) fn policy(&mut self, [life, expiry, scopes]: [&str; 3]) -> KeyPolicy {
        let policy = KeyPolicy {
            longest_life_in_days: self.days(life).flatten(),
            expiry_required: self.flag(expiry, false).unwrap_or_default(),
            allowed_scopes: self.field(scopes).and_then(|_| self.scopes_in(scopes)),
        };
        self.only(&[life, expiry, scopes]);
        policy
    }

    /// Rejects fields with other names, unless they are null.
    pub(crate) fn only(&mut self, known: &[&str]) {
        let is_known = |name: &str| known.contains(&name);
        for (name, value) in self.body {
            if !is_known(name) && !value.is_null() {
                self.reject([name.as_str().into()], "unknown field", "extra_forbidden");
            }
        }
    }

    /// Returns an error if any field is invalid.
    pub(crate) fn done(self) -> Result<(), ApiError> {
        if self.invalid.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid(self.invalid))
        }
    }
}

/// Returns the digest of a request to create a key, if it has an idempotency key.
pub(crate) fn creation_digest(
    key: IdempotencyKey,
    session: &Session,
    method_and_path: &str,
    tenant: uuid::Uuid,
    body: &Map<String, Value>,
) -> Option<RequestDigest> {
    let key = key.0?;
    let request = [
        key.as_str(),
        session.principal.as_str(),
        method_and_path,
        &tenant.to_string(),
    ];
    // `Map` sorts its fields, so their order in the request does not matter.
    let body = Value::Object(body.clone()).to_string();
    Some(RequestDigest {
        request: digest(&request),
        body: digest(&[&body]),
    })
}

/// Returns the digest of a key's request for its successor or a child, if it has an idempotency key.
pub(crate) fn own_digest(
    key: IdempotencyKey,
    id: uuid::Uuid,
    method_and_path: &str,
    body: Option<&Map<String, Value>>,
) -> Option<RequestDigest> {
    let key = key.0?;
    let request = [key.as_str(), &id.to_string(), method_and_path];
    let body = body.map(|body| Value::Object(body.clone()).to_string());
    Some(RequestDigest {
        request: digest(&request),
        body: digest(body.as_deref().as_slice()),
    })
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

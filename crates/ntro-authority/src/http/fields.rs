//! Bodies, checked member by member, so that every fault is told at once.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Map, Value};

use super::api_error::ApiError;
use super::extract::{IdempotencyKey, Session};
use crate::registry::LONGEST_LIFE_IN_DAYS;
use crate::registry::RequestDigest;
use ntro_base::wire::errors::InvalidField;
use ntro_base::{KeyName, Scope};

/// Reads the members of a body and collects what is wrong with them.
pub(crate) struct FieldReader<'a> {
    body: &'a Map<String, Value>,
    faults: Vec<InvalidField>,
}

impl<'a> FieldReader<'a> {
    pub(crate) fn of(body: &'a Map<String, Value>) -> Self {
        Self {
            body,
            faults: Vec::new(),
        }
    }

    /// Notes a fault of `body.<place>`.
    pub(crate) fn fault(
        &mut self,
        place: impl IntoIterator<Item = Value>,
        msg: impl Into<String>,
        kind: &str,
    ) {
        let loc = std::iter::once(Value::from("body")).chain(place).collect();
        self.faults.push(InvalidField {
            loc,
            msg: msg.into(),
            kind: kind.to_owned(),
        });
    }

    /// Returns a member that is there and not null.
    fn member(&self, name: &str) -> Option<&'a Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    /// Reads a text that may be missing.
    pub(crate) fn optional_text(&mut self, name: &str) -> Option<&'a str> {
        let value = self.member(name)?;
        let text = value.as_str();
        if text.is_none() {
            self.fault([name.into()], "must be a string", "string_type");
        }
        text
    }

    /// Reads a text that must be there.
    pub(crate) fn text(&mut self, name: &str) -> Option<&'a str> {
        if self.member(name).is_none() {
            self.fault([name.into()], "field required", "missing");
            return None;
        }
        self.optional_text(name)
    }

    /// Reads a text that must be there and be a `T`.
    pub(crate) fn parsed<T>(&mut self, name: &str) -> Option<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        match self.text(name)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault([name.into()], T::Err::to_string(&error), "value_error");
                None
            }
        }
    }

    /// Reads the display name of a key.
    pub(crate) fn key_name(&mut self) -> Option<KeyName> {
        self.parsed("name")
    }

    /// Reads for how many days a key is to live; `Some(None)` is for ever.
    pub(crate) fn days(&mut self, name: &str) -> Option<Option<u32>> {
        let Some(value) = self.member(name) else {
            return Some(None);
        };
        let days = value.as_u64().and_then(|days| u32::try_from(days).ok());
        match days {
            Some(days @ 1..=LONGEST_LIFE_IN_DAYS) => Some(Some(days)),
            _ => {
                let msg = format!("must be an integer from 1 to {LONGEST_LIFE_IN_DAYS}, or null");
                self.fault([name.into()], msg, "value_error");
                None
            }
        }
    }

    /// Reads whether a key may rotate itself, which it may unless it is said otherwise.
    pub(crate) fn may_rotate(&mut self, name: &str) -> Option<bool> {
        let Some(value) = self.member(name) else {
            return Some(true);
        };
        if value.as_bool().is_none() {
            self.fault([name.into()], "must be a boolean", "bool_type");
        }
        value.as_bool()
    }

    /// Reads scopes: at least one, none unknown, duplicates collapsed.
    pub(crate) fn scopes(&mut self) -> Option<Vec<Scope>> {
        const NAME: &str = "scopes";
        let Some(value) = self.member(NAME) else {
            self.fault([NAME.into()], "field required", "missing");
            return None;
        };
        let Some(names) = value.as_array() else {
            self.fault([NAME.into()], "must be a list of strings", "list_type");
            return None;
        };
        if names.is_empty() {
            self.fault([NAME.into()], "needs at least one scope", "too_short");
            return None;
        }
        let mut scopes = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match name.as_str().map(str::parse::<Scope>) {
                Some(Ok(scope)) if scopes.contains(&scope) => {}
                Some(Ok(scope)) => scopes.push(scope),
                Some(Err(error)) => {
                    self.fault([NAME.into(), index.into()], error.to_string(), "enum");
                }
                None => self.fault(
                    [NAME.into(), index.into()],
                    "must be a string",
                    "string_type",
                ),
            }
        }
        Some(scopes)
    }

    /// Refuses members by any other name: what was meant by them would not be done. Null says
    /// nothing under any name.
    pub(crate) fn only(&mut self, known: &[&str]) {
        let is_known = |name: &str| known.contains(&name);
        for (name, value) in self.body {
            if !is_known(name) && !value.is_null() {
                self.fault([name.as_str().into()], "unknown field", "extra_forbidden");
            }
        }
    }

    /// Ends the reading: an error if there was any fault.
    pub(crate) fn done(self) -> Result<(), ApiError> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid(self.faults))
        }
    }
}

/// The fingerprints of a request with an idempotency key: who asks for what, and the body.
pub(crate) fn once(
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
    // FieldReader sort by name in our maps, so the order in which they came does not matter.
    let body = Value::Object(body.clone()).to_string();
    Some(RequestDigest {
        request: digest(&request),
        body: digest(&[&body]),
    })
}

/// The fingerprints of a key's request for its successor.
pub(crate) fn attempt(key: IdempotencyKey, id: uuid::Uuid) -> Option<RequestDigest> {
    let key = key.0?;
    let request = [
        key.as_str(),
        &id.to_string(),
        "POST /v1/api-keys/current/rotate",
    ];
    Some(RequestDigest {
        request: digest(&request),
        body: digest(&[]),
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

//! What a server tells of a key.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use ntro_base::{ApiKey, KeyPrefix};

/// A key at its server, without the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// What it is revoked by, if told.
    pub id: Option<String>,
    /// The displayable head of the key, if told.
    pub prefix: Option<KeyPrefix>,
    /// Its display name, if told.
    pub name: Option<String>,
    /// The id of the tenant that it belongs to, if told.
    pub tenant: Option<String>,
    /// Its scopes; `None` where keys have none, as with Ntropii.
    pub scopes: Option<Vec<String>>,
    /// When it ends.
    pub expires: Expiry,
    /// When it was made, if told.
    pub created_at: Option<Timestamp>,
    /// When it was used last, if told.
    pub last_used_at: Option<Timestamp>,
    /// Who made it, if told.
    pub created_by: Option<String>,
    /// When it was revoked; `None` while it is live.
    pub revoked_at: Option<Timestamp>,
    /// `us`, `eu`, …, if told.
    pub region: Option<String>,
    /// Whether it may rotate itself. Only an authority tells, and only where it may not.
    pub may_rotate: bool,
}

impl Default for KeyInfo {
    /// Nothing is told.
    fn default() -> Self {
        Self {
            id: None,
            prefix: None,
            name: None,
            tenant: None,
            scopes: None,
            expires: Expiry::Unknown,
            created_at: None,
            last_used_at: None,
            created_by: None,
            revoked_at: None,
            region: None,
            may_rotate: true,
        }
    }
}

/// When a key ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// The server does not tell.
    #[default]
    Unknown,
    /// The server tells that it does not.
    Never,
    /// Then.
    At(Timestamp),
}

impl Expiry {
    /// Returns the moment, if there is one.
    #[must_use]
    pub fn at(self) -> Option<Timestamp> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Unknown | Self::Never => None,
        }
    }

    /// Reads a member that may be missing, `null` or a moment.
    pub(super) fn read(member: Option<&Value>) -> Result<Self, NotATime> {
        match member {
            None => Ok(Self::Unknown),
            Some(Value::Null) => Ok(Self::Never),
            Some(Value::String(text)) => moment(text).map(Self::At),
            Some(_) => Err(NotATime),
        }
    }
}

/// A text that was to be a moment and is not.
#[derive(Debug)]
pub(super) struct NotATime;

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time in it is not RFC 3339")
    }
}

/// Reads RFC 3339. A time without an offset is taken for UTC, as Python servers mean it.
pub(super) fn moment(text: &str) -> Result<Timestamp, NotATime> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let civil: DateTime = text.parse().map_err(|_| NotATime)?;
    TimeZone::UTC.to_timestamp(civil).map_err(|_| NotATime)
}

/// Reads when a key was revoked. One that was must not look live for want of a readable time.
pub(super) fn revoked(at: Option<&str>) -> Result<Option<Timestamp>, NotATime> {
    at.map(moment).transpose()
}

/// A key that was just made. The secret is told here once and never again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewKey {
    /// What the server tells of it.
    pub info: KeyInfo,
    /// The key itself.
    pub key: ApiKey,
}

/// What became of a key that was to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// The server says so.
    Revoked,
    /// The request had to be sent again, and by then the server no longer knew the key: the first
    /// one was carried out although its answer was lost.
    Presumed,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_never_and_a_moment_are_three_answers() {
        let read = |value: Value| Expiry::read(value.get("at")).ok();
        assert_eq!(read(json!({})), Some(Expiry::Unknown));
        assert_eq!(read(json!({"at": null})), Some(Expiry::Never));
        let at = Expiry::At("2026-01-01T00:00:00Z".parse().unwrap());
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T00:00:00.000000",
        ] {
            assert_eq!(read(json!({"at": text})), Some(at), "{text}");
        }
        assert_eq!(read(json!({"at": "tomorrow"})), None);
        assert_eq!(read(json!({"at": 1})), None);
    }
}

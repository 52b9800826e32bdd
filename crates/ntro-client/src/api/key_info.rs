//! A server's description of a key.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use ntro_base::{ApiKey, KeyPrefix};

/// A server's description of a key, without the secret. Members are `None` if the server omits them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The id that revokes it.
    pub id: Option<String>,
    /// The part of the key that may be shown.
    pub prefix: Option<KeyPrefix>,
    /// Its display name.
    pub name: Option<String>,
    /// The id of the tenant that it belongs to.
    pub tenant: Option<String>,
    /// The display name of that tenant.
    pub tenant_name: Option<String>,
    /// Its scopes; `None` where keys have none, as with Ntropii.
    pub scopes: Option<Vec<String>>,
    /// When it expires.
    pub expires: Expiry,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
    /// Who created it.
    pub created_by: Option<String>,
    /// When it was revoked; `None` while it is live.
    pub revoked_at: Option<Timestamp>,
    /// `us`, `eu`, ….
    pub region: Option<String>,
    /// Whether it may rotate itself; `true` unless an authority says otherwise.
    pub may_rotate: bool,
}

impl Default for KeyInfo {
    /// Returns the description that says nothing.
    fn default() -> Self {
        Self {
            id: None,
            prefix: None,
            name: None,
            tenant: None,
            tenant_name: None,
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

/// When a key expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// The server does not say.
    #[default]
    Unknown,
    /// The key does not expire.
    Never,
    /// At this time.
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

/// A member that should be a time and is not.
#[derive(Debug)]
pub(super) struct NotATime;

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time in it is not RFC 3339")
    }
}

/// Parses RFC 3339. A time without an offset is UTC, as Python servers mean it.
pub(super) fn moment(text: &str) -> Result<Timestamp, NotATime> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let civil: DateTime = text.parse().map_err(|_| NotATime)?;
    TimeZone::UTC.to_timestamp(civil).map_err(|_| NotATime)
}

/// Parses when a key was revoked. An unreadable time is an error, so that the key does not look live.
pub(super) fn revoked(at: Option<&str>) -> Result<Option<Timestamp>, NotATime> {
    at.map(moment).transpose()
}

/// A key that was just created. The server does not show the secret again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewKey {
    /// The server's description.
    pub info: KeyInfo,
    /// The key itself.
    pub key: ApiKey,
}

/// The outcome of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// The server confirmed it.
    Revoked,
    /// The request was sent again, and the server no longer knew the key: it had carried out the
    /// first request, and only the answer was lost.
    Presumed,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expiry_has_three_answers() {
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

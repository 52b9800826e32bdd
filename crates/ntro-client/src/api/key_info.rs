//! A server's description of a key.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::response::ServerResponse;
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
    /// When it was paused; `None` while it is not.
    pub paused_at: Option<Timestamp>,
    /// `us`, `eu`, ….
    pub region: Option<String>,
    /// Whether it may rotate itself; `true` unless an authority says otherwise.
    pub may_rotate: bool,
    /// The id of the key whose child it is, if it is one.
    pub parent: Option<String>,
    /// When one of its tripwires was last presented, if one was.
    pub tripped_at: Option<Timestamp>,
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
            paused_at: None,
            region: None,
            may_rotate: true,
            parent: None,
            tripped_at: None,
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

    /// Takes a member that may be missing, `null` or a moment out of an object. Any other value is
    /// reported, and unknown.
    pub(super) fn take(answer: &ServerResponse, object: &mut Value, member: &str) -> Self {
        let value = object
            .as_object_mut()
            .and_then(|object| object.remove(member));
        let text = match &value {
            None => return Self::Unknown,
            Some(Value::Null) => return Self::Never,
            Some(Value::String(text)) => text,
            Some(_) => "",
        };
        match moment(text) {
            Ok(moment) if moment == Timestamp::MAX => Self::Never,
            Ok(moment) => Self::At(moment),
            Err(NotATime) => {
                answer.warn("says when the key expires in another form than RFC 3339: unknown");
                Self::Unknown
            }
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
///
/// Digits beyond nanoseconds are dropped. A time that is too late to be represented, such as the
/// `9999-12-31T23:59:59Z` of many servers for "never", becomes [`Timestamp::MAX`].
pub(super) fn moment(text: &str) -> Result<Timestamp, NotATime> {
    let text = without_excess_digits(text);
    if let Some(moment) = representable(&text) {
        return Ok(moment);
    }
    // If the same time in another leap year is valid, only the year is out of range.
    let digits = text.trim_start_matches('+');
    let (year, rest) = digits.split_at(digits.find('-').ok_or(NotATime)?);
    let is_late = year.len() >= 4 && year.parse::<u64>().is_ok_and(|year| year >= 9999);
    match representable(&format!("9996{rest}")) {
        Some(_) if is_late => Ok(Timestamp::MAX),
        _ => Err(NotATime),
    }
}

fn representable(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let civil: DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// Cuts a fraction of a second after nine digits.
fn without_excess_digits(text: &str) -> Cow<'_, str> {
    let Some((seconds, fraction)) = text.split_once('.') else {
        return Cow::Borrowed(text);
    };
    let end = fraction.find(|c: char| !c.is_ascii_digit());
    let end = end.unwrap_or(fraction.len());
    if end <= 9 {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{seconds}.{}{}", &fraction[..9], &fraction[end..]))
}

/// Replaces times that are not texts by an empty one: no such value refuses a key.
pub(super) fn drop_odd_times(object: &mut Value, members: &[&str]) {
    for member in members {
        if let Some(value) = object.get_mut(*member)
            && !value.is_string()
            && !value.is_null()
        {
            *value = Value::String(String::new());
        }
    }
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
    use super::*;

    #[test]
    fn moment_has_many_forms() {
        let new_year = "2026-01-01T00:00:00Z".parse().unwrap();
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01t00:00:00z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T00:00:00.000000",
            "2026-01-01T00:00:00.0000000000Z",
            "2026-01-01T01:00:00.000000000999+01:00",
        ] {
            assert_eq!(moment(text).ok(), Some(new_year), "{text}");
        }
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999999Z",
            "9999-12-31T23:59:59.9999999999Z",
            "9999-12-31T23:59:59",
            "9999-12-31T23:59:59-12:00",
            "10000-01-01T00:00:00Z",
            "+275760-09-13T00:00:00.000Z",
        ] {
            assert_eq!(moment(text).ok(), Some(Timestamp::MAX), "{text}");
        }
        for text in [
            "",
            "never",
            "-",
            "9999",
            "9999-13-01T00:00:00Z",
            "999-1-1",
            "99999999999-x",
        ] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}

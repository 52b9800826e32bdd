//! The uses of keys, as the database has them.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The hours for which uses are counted: a month.
pub(crate) const COUNTED_HOURS: u32 = 31 * 24;

/// The outcome of a use of a key that the registry knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum UseOutcome {
    Accepted,
    /// The key lacks the scope that a gateway has asked for.
    Scope,
    /// The key belongs to another tenant than the one that a gateway has asked for.
    Tenant,
    /// The rate limit was used up.
    Limited,
    Paused,
    /// The tenant was not active.
    Suspended,
    Expired,
}

impl UseOutcome {
    pub(crate) const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Scope,
        Self::Tenant,
        Self::Limited,
        Self::Paused,
        Self::Suspended,
        Self::Expired,
    ];

    /// Returns the name used on the wire and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Scope => "scope",
            Self::Tenant => "tenant",
            Self::Limited => "limited",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Expired => "expired",
        }
    }
}

/// A use of a key, the last one before it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastUse {
    pub(crate) at: Timestamp,
    /// Where it came from, if the server knows it.
    pub(crate) address: Option<IpAddr>,
    /// The `User-Agent` of the request.
    pub(crate) agent: Option<String>,
}

/// How often a key was used in an hour, with one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UseCount {
    pub(crate) hour: Timestamp,
    pub(crate) outcome: UseOutcome,
    pub(crate) times: u64,
}

/// The uses of a key since the last record.
#[derive(Clone, Debug)]
pub(crate) struct KeyUsage {
    pub(crate) key: Uuid,
    pub(crate) last: Option<LastUse>,
    pub(crate) counts: Vec<UseCount>,
}

/// Returns the begin of an hour.
pub(crate) fn hour_of(at: Timestamp) -> Timestamp {
    const HOUR: i64 = 3_600;
    let into = at.as_second().rem_euclid(HOUR);
    let begin = Timestamp::from_second(at.as_second() - into);
    begin.unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns the begin of the first of the last `hours` hours.
pub(crate) fn first_hour(now: Timestamp, hours: u32) -> Timestamp {
    let before = SignedDuration::from_hours(i64::from(hours.saturating_sub(1)));
    hour_of(now).checked_sub(before).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_begin_on_the_hour() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-01-01T00:59:59.999Z");
        assert_eq!(hour_of(now), at("2026-01-01T00:00:00Z"));
        assert_eq!(hour_of(hour_of(now)), hour_of(now));
        assert_eq!(first_hour(now, 1), hour_of(now));
        assert_eq!(first_hour(now, 36), at("2025-12-30T13:00:00Z"));
    }
}

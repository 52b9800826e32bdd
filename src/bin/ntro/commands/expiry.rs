//! Expiry of a key as text, and the warning before it.

use std::fmt;

use jiff::Timestamp;
use ntro_base::Period;

use crate::context::Context;

/// Default period before the expiry in which a warning is printed.
pub(crate) const SOON: Period = Period::days(14);

/// Message for a key that the server accepts although it has expired by the local clock.
pub(crate) const ACCEPTED_AFTER_ITS_END: &str = "the server accepts it, and by this machine's clock it has ended; `ntro doctor` compares the clocks";

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Milliseconds until the key expires; zero or negative once it has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remaining(i64);

pub(crate) fn remaining(expires_at: Timestamp, now: Timestamp) -> Remaining {
    let left = expires_at
        .as_millisecond()
        .saturating_sub(now.as_millisecond());
    Remaining(left)
}

impl Remaining {
    pub(crate) fn is_over(self) -> bool {
        self.0 <= 0
    }

    pub(crate) fn is_within(self, period: Period) -> bool {
        u128::try_from(self.0).is_ok_and(|left| left <= period.duration().as_millis())
    }

    /// Returns the number of whole days.
    pub(crate) fn days(self) -> i64 {
        self.0.div_euclid(DAY)
    }
}

impl fmt::Display for Remaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.0 {
            ..=0 => return f.write_str("now"),
            left @ ..HOUR => (left.div_euclid(MINUTE).max(1), "minute"),
            left @ ..DAY => (left.div_euclid(HOUR), "hour"),
            left => (left.div_euclid(DAY), "day"),
        };
        let plural = if number == 1 { "" } else { "s" };
        write!(f, "in {number} {unit}{plural}")
    }
}

/// Returns the expiry for a table: the day, or what is left of the last two weeks.
pub(crate) fn brief(expires_at: Timestamp, now: Timestamp) -> String {
    let left = remaining(expires_at, now);
    match left.is_over() {
        true => "expired".to_owned(),
        false if left.is_within(SOON) => left.to_string(),
        false => expires_at.strftime("%Y-%m-%d").to_string(),
    }
}

/// Warns on standard error if an accepted key expires within two weeks.
pub(crate) fn warn(cx: &Context, connection: Option<&str>, expires_at: Option<Timestamp>) {
    let Some(at) = expires_at else {
        return;
    };
    let left = remaining(at, cx.now());
    let whose = match connection {
        Some(name) => format!("the API key of `{name}`"),
        None => "the API key".to_owned(),
    };
    if left.is_over() {
        cx.printer()
            .warn(&format!("{whose} ends at {at}: {ACCEPTED_AFTER_ITS_END}"));
    } else if left.is_within(SOON) {
        cx.printer()
            .warn(&format!("{whose} expires {left}, at {at}"));
    }
}

/// Says how long the encrypted file stays unlocked.
pub(super) fn unlocked(until: Timestamp) -> String {
    format!(
        "the `file` store is unlocked until {}; `ntro auth lock` locks it",
        until.strftime("%F %T UTC")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_has_largest_unit() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (at, words, days) in [
            ("2026-01-15T00:00:00Z", "in 14 days", 14),
            ("2026-01-02T23:59:59Z", "in 1 day", 1),
            ("2026-01-01T23:59:59Z", "in 23 hours", 0),
            ("2026-01-01T01:00:00Z", "in 1 hour", 0),
            ("2026-01-01T00:59:59Z", "in 59 minutes", 0),
            ("2026-01-01T00:00:00.5Z", "in 1 minute", 0),
            ("2026-01-01T00:00:00Z", "now", 0),
            ("2025-12-31T23:59:59.5Z", "now", -1),
            ("2025-12-31T23:59:59Z", "now", -1),
            ("2025-01-01T00:00:00Z", "now", -365),
        ] {
            let left = remaining(at.parse().unwrap(), now);
            assert_eq!(
                (left.to_string().as_str(), left.days()),
                (words, days),
                "{at}"
            );
            assert_eq!(left.is_over(), words == "now", "{at}");
        }
        let left = remaining("2026-01-15T00:00:00Z".parse().unwrap(), now);
        assert!(left.is_within(SOON) && !left.is_within(Period::days(13)));
    }
}

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The units, largest first, with their milliseconds.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A length of time, written as `500ms`, `30s`, `15m`, `12h`, `14d` or `2w`.
///
/// A day always has 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

impl Period {
    /// The longest period: a hundred years. A longer one is a typing error, and would overflow when
    /// added to today's date.
    pub const LONGEST: Self = Self::days(36_500);

    /// Returns this many days.
    #[must_use]
    pub const fn days(days: u64) -> Self {
        Self(Duration::from_secs(days * 24 * 3_600))
    }

    /// Returns this many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Returns the period as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Returns whether the period is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

/// Why a text is not a [`Period`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeriodError {
    /// The text is not a whole number with a unit.
    #[error("expected a whole number and `ms`, `s`, `m`, `h`, `d` or `w`, such as `30s` or `14d`")]
    Unreadable,
    /// The period is longer than a hundred years.
    #[error("longer than a hundred years")]
    TooLong,
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .ok_or(PeriodError::Unreadable)?;
        let (number, unit) = text.split_at(end);
        if number.is_empty() {
            return Err(PeriodError::Unreadable);
        }
        let (_, size) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or(PeriodError::Unreadable)?;
        // The text has digits only, so a number that does not parse is too large.
        let milliseconds = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*size))
            .ok_or(PeriodError::TooLong)?;
        let period = Self(Duration::from_millis(milliseconds));
        if period > Self::LONGEST {
            return Err(PeriodError::TooLong);
        }
        Ok(period)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if milliseconds == 0 {
            return f.pad("0s");
        }
        let fitting = UNITS.iter().find(|(name, size)| {
            // Weeks are shown in days.
            *name != "w" && milliseconds.is_multiple_of(*size)
        });
        match fitting {
            Some((unit, size)) => f.pad(&format!("{}{unit}", milliseconds / size)),
            None => f.pad(&format!("{milliseconds}ms")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn number_with_unit_parses() {
        for (text, seconds) in [
            ("0d", 0),
            ("90s", 90),
            ("15m", 900),
            ("12h", 43_200),
            ("14d", 1_209_600),
            ("2w", 1_209_600),
            ("0007s", 7),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.duration(), Duration::from_secs(seconds), "{text}");
        }
        let short: Period = "250ms".parse().unwrap();
        assert_eq!(short.duration(), Duration::from_millis(250));
        assert_eq!("36500d".parse(), Ok(Period::LONGEST));
    }

    #[test]
    fn invalid_period_is_refused() {
        for text in [
            "", "d", "14", "-1d", "+1d", "1.5h", "1 d", "1D", "1y", "1d2h", "½d", "1d ",
        ] {
            assert_eq!(
                text.parse::<Period>(),
                Err(PeriodError::Unreadable),
                "{text}"
            );
        }
        for text in ["36501d", "99999999999999999999s", "18446744073709551615w"] {
            assert_eq!(text.parse::<Period>(), Err(PeriodError::TooLong), "{text}");
        }
    }

    proptest! {
        #[test]
        fn displayed_period_parses_back(milliseconds in 0..=36_500_u64 * 86_400_000) {
            let period = Period(Duration::from_millis(milliseconds));
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*|[0-9]{1,30}(ms|[smhdw])") {
            if let Ok(period) = text.parse::<Period>() {
                prop_assert!(period <= Period::LONGEST);
            }
        }
    }
}

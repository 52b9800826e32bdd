//! Lengths of time on the command line: `30s`, `10m`, `24h`, `7d`, `2w`.

use std::time::Duration;

/// Reads a whole number of seconds, minutes, hours, days or weeks.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let wrong = || "expected a whole number with a unit, such as `10m`, `24h` or `7d`".to_owned();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "" if number == 0 => 1,
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(wrong()),
    };
    // A hundred years are more than anybody waits, and less than what overflows.
    match number.checked_mul(seconds) {
        Some(seconds) if seconds <= 100 * 366 * 86_400 => Ok(Duration::from_secs(seconds)),
        _ => Err("more than a hundred years".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_a_unit() {
        let seconds = |text| parse(text).map(|span| span.as_secs());
        for (text, expected) in [
            ("0", 0),
            ("0s", 0),
            ("90s", 90),
            ("10m", 600),
            ("24h", 86_400),
            (" 7d ", 604_800),
            ("2w", 1_209_600),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "d", "10", "-1d", "1.5h", "1y", "1d2h", "99999999999w"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}

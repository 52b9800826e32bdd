//! The pauses between tries.

use std::time::{Duration, SystemTime};

/// Returns the pause after the `tries`-th try. It doubles with each try; its upper half is random, so
/// that many clients do not retry at the same instant.
pub(super) fn backoff(base: Duration, tries: u32) -> Duration {
    let whole = base.saturating_mul(
        1_u32
            .checked_shl(tries.saturating_sub(1))
            .unwrap_or(u32::MAX),
    );
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    (whole / 2).saturating_add((whole / 2).mul_f64(f64::from(random) / f64::from(u32::MAX)))
}

/// Returns how long a `Retry-After` header asks to wait, in either of its two forms.
///
/// A moment in the past is no wait; a number too large is [`Duration::MAX`].
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let then = httpdate::parse_http_date(value).ok()?;
    Some(then.duration_since(now).unwrap_or(Duration::ZERO))
}

/// Returns the pause before the next try; `None` if the server asks for more than `limit`.
///
/// A server can lengthen the pause up to the limit, but not shorten it.
pub(super) fn pause(
    backoff: Duration,
    asked: Option<Duration>,
    limit: Duration,
) -> Option<Duration> {
    match asked {
        Some(asked) if asked > limit => None,
        Some(asked) => Some(asked.max(backoff)),
        None => Some(backoff),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn retry_after_has_two_forms() {
        let now = at(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let seconds = |value: &str| retry_after(value, now).map(|wait| wait.as_secs());
        for (value, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("1e9", None),
            ("soon", None),
            ("Sun, 99 Nov 1994 08:50:37 GMT", None),
        ] {
            assert_eq!(seconds(value), expected, "{value:?}");
        }
        assert_eq!(retry_after(&"9".repeat(40), now), Some(Duration::MAX));
    }

    #[test]
    fn backoff_doubles_within_bounds() {
        let base = Duration::from_millis(100);
        for (tries, whole) in [(1, 100), (2, 200), (3, 400)] {
            for _ in 0..50 {
                let pause = backoff(base, tries).as_millis();
                assert!((whole / 2..=whole).contains(&pause), "{tries}: {pause}");
            }
        }
        assert_eq!(backoff(Duration::ZERO, 40), Duration::ZERO);
        assert!(backoff(base, u32::MAX) > base);
    }

    fn any_wait() -> impl Strategy<Value = Duration> {
        prop_oneof![
            Just(Duration::ZERO),
            Just(Duration::MAX),
            (0_u64..100_000).prop_map(Duration::from_millis),
            any::<u64>().prop_map(Duration::from_secs),
        ]
    }

    proptest! {
        #[test]
        fn pause_stays_within_bounds(
            backoff in (0_u64..10_000).prop_map(Duration::from_millis),
            asked in proptest::option::of(any_wait()),
            limit in any_wait(),
        ) {
            match (pause(backoff, asked, limit), asked) {
                (None, asked) => prop_assert!(asked.is_some_and(|asked| asked > limit)),
                (Some(pause), None) => prop_assert_eq!(pause, backoff),
                (Some(pause), Some(asked)) => {
                    prop_assert!(pause >= backoff && pause >= asked);
                    prop_assert!(pause <= backoff.max(limit));
                }
            }
        }

        #[test]
        fn any_header_gives_bounded_pause(
            value in r"[0-9]{1,60}|-?[0-9]{1,5}(\.[0-9]+)?|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT|\PC{0,40}",
            now in 0_u64..=253_402_300_799,
        ) {
            let limit = Duration::from_secs(30);
            let asked = retry_after(&value, at(now));
            if let Some(pause) = pause(Duration::from_millis(250), asked, limit) {
                prop_assert!(pause <= limit);
            }
        }

        #[test]
        fn any_header_is_parsed_safely(value in any::<String>(), now in 0_u64..4_000_000_000) {
            let _ = retry_after(&value, at(now));
        }

        #[test]
        fn seconds_are_read_exactly(seconds: u64, now in 0_u64..4_000_000_000) {
            prop_assert_eq!(
                retry_after(&seconds.to_string(), at(now)),
                Some(Duration::from_secs(seconds))
            );
        }

        #[test]
        fn dates_are_counted_from_now(now in 0_u64..4_000_000_000, wait in 0_u64..1_000_000) {
            let date = httpdate::fmt_http_date(at(now + wait));
            prop_assert_eq!(retry_after(&date, at(now)), Some(Duration::from_secs(wait)));
            prop_assert_eq!(retry_after(&date, at(now + wait + 1)), Some(Duration::ZERO));
        }
    }
}

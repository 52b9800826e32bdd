//! Names as segments of a URL's path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters to encode in a segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Encodes a text as one segment of a path, also `.` and `..`, which a URL would resolve.
pub(super) fn segment(text: &str) -> String {
    match text {
        "." | ".." => text.replace('.', "%252e"),
        _ => utf8_percent_encode(text, SEGMENT).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_stays_one_segment() {
        for (text, expected) in [
            ("acme-fund_admin.1~", "acme-fund_admin.1~"),
            ("a/b?c#d&e=f", "a%2Fb%3Fc%23d%26e%3Df"),
            ("ä", "%C3%A4"),
            (".", "%252e"),
            ("..", "%252e%252e"),
            ("...", "..."),
        ] {
            assert_eq!(segment(text), expected);
        }
    }
}

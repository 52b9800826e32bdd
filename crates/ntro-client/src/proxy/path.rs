//! The normal form of a request's path, which rules are checked on and which is sent.

use hyper::http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Returns the normal form of a path: characters that need no encoding are decoded, and encodings
/// are in capitals.
///
/// # Errors
///
/// Returns why servers may understand the path in two ways.
pub(super) fn normalize(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') {
        return Err("the path does not begin with `/`");
    }
    let mut normal = String::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(hex));
                let [Some(high), Some(low)] = digits else {
                    return Err("a `%` in the path is not followed by two hexadecimal digits");
                };
                push_decoded(&mut normal, high << 4 | low)?;
            }
            b'\\' => return Err("the path contains `\\`"),
            b';' => return Err("the path contains `;`"),
            b'/' if normal.ends_with('/') => return Err("the path contains `//`"),
            b'!'..=b'~' => normal.push(char::from(byte)),
            _ => return Err("the path contains a character that must be percent-encoded"),
        }
    }
    let digits = |text: &str| text.bytes().take(2).filter_map(hex).count() == 2;
    if normal
        .split('/')
        .any(|segment| segment == "." || segment == "..")
    {
        return Err("the path contains `.` or `..` as a segment");
    }
    // A server that decodes twice would read another path.
    if normal.split("%25").skip(1).any(digits) {
        return Err("the path is encoded twice");
    }
    Ok(normal)
}

/// Returns the target of a request for a path in its normal form, as the URL standard writes it.
///
/// `None` if the path has characters that the standard encodes: it would not be the one that was
/// checked.
pub(super) fn target(path: &str, query: Option<&str>) -> Option<PathAndQuery> {
    /// What the standard encodes in the query of an `http` URL, beside control characters.
    const IN_QUERY: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'<')
        .add(b'>')
        .add(b'\'');

    if path.contains(['"', '<', '>', '`', '{', '}']) {
        return None;
    }
    let mut target = String::with_capacity(path.len() + query.map_or(0, |query| 1 + query.len()));
    target.push_str(path);
    if let Some(query) = query {
        target.push('?');
        target.extend(utf8_percent_encode(query, IN_QUERY));
    }
    PathAndQuery::try_from(target).ok()
}

fn push_decoded(normal: &mut String, byte: u8) -> Result<(), &'static str> {
    match byte {
        b'/' | b'\\' | b';' => return Err("the path contains an encoded `/`, `\\` or `;`"),
        b'.' => return Err("the path contains an encoded `.`"),
        0..=0x1f | 0x7f => return Err("the path contains an encoded control character"),
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
            normal.push(char::from(byte));
        }
        _ => normal.push_str(&format!("%{byte:02X}")),
    }
    Ok(())
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Returns whether a path is `prefix`, or below it.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn path_is_normalized() {
        for (path, normal) in [
            ("/", "/"),
            ("/v1/me", "/v1/me"),
            ("/v1/me/", "/v1/me/"),
            ("/v1/%6D%65", "/v1/me"),
            ("/v1/%7euser%5f1", "/v1/~user_1"),
            ("/a%20b%c3%a9", "/a%20b%C3%A9"),
            ("/a%2Bb+c:d@e", "/a%2Bb+c:d@e"),
            ("/100%25", "/100%25"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a..b/...", "/a..b/..."),
        ] {
            assert_eq!(normalize(path).as_deref(), Ok(normal), "{path}");
        }
    }

    #[test]
    fn ambiguous_path_is_refused() {
        for path in [
            "",
            "*",
            "v1/me",
            "//",
            "/v1//me",
            "/v1/../admin",
            "/v1/..",
            "/..",
            "/./v1",
            "/v1/.",
            "/v1/%2e%2e/admin",
            "/v1/%2E./x",
            "/v1/a%2fb",
            "/v1/a%2Fb",
            "/v1/a%5cb",
            "/v1\\..\\x",
            "/v1/a%00",
            "/v1/a%0d%0ab",
            "/v1/a%7f",
            "/v1/a;b=c",
            "/v1/..;/x",
            "/v1/a%3bb",
            "/v1/%252e%252e/x",
            "/v1/%25%32%65",
            "/v1/%252%65",
            "/v1/%zz",
            "/v1/%4",
            "/v1/%",
            "/v1/é",
            "/v1/a b",
        ] {
            assert!(normalize(path).is_err(), "{path}");
        }
    }

    #[test]
    fn target_is_that_of_url() {
        for byte in 0x20..0x7f_u8 {
            let text = format!("/a{}b", char::from(byte));
            let url = |text: &str| Url::parse(&format!("http://a.example{text}")).unwrap();
            let is_same = |path: &String| url(path).path() == path;
            if let Ok(path) = normalize(&text)
                && byte != b'?'
                && byte != b'#'
            {
                let target = target(&path, None).map(|target| target.as_str().to_owned());
                assert_eq!(target, Some(path).filter(is_same), "{text}");
            }
            if byte != b'#' {
                let query = &text[1..];
                let expected = url(&format!("/x?{query}"));
                let target = target("/x", Some(query)).unwrap();
                assert_eq!(target.query(), expected.query(), "{query}");
            }
        }
        for (query, target) in [("", "/?"), ("a?b", "/?a?b"), ("%zz&é", "/?%zz&%C3%A9")] {
            assert_eq!(super::target("/", Some(query)).unwrap(), target);
        }
    }

    #[test]
    fn prefix_ends_at_segment() {
        for path in ["/v1", "/v1/", "/v1/me"] {
            assert!(is_below(path, "/v1"), "{path}");
        }
        for path in ["/", "/v10", "/v1me", "/V1/me", "/x/v1/me"] {
            assert!(!is_below(path, "/v1"), "{path}");
        }
        assert!(is_below("/anything", ""));
    }
}

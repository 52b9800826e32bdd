//! The headers that are not passed on.

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::redact::Redactor;

/// Headers about one connection, not about the message (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers of requests that are not passed on: credentials, headers that the proxy sets itself, and
/// those with which some servers take another method, path or sender than the request's.
const OF_REQUESTS: [&str; 19] = [
    "accept-encoding",
    "authorization",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "proxy-authorization",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// Headers of answers that are not passed on: a cookie would be a credential outside of the proxy,
/// and the others are about the server's own origin.
const OF_ANSWERS: [&str; 5] = [
    "alt-svc",
    "clear-site-data",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
];

/// Returns the headers of a request to send, without a credential.
pub(super) fn of_request(mut headers: HeaderMap, tokens: &Redactor) -> HeaderMap {
    remove(&mut headers, &OF_REQUESTS);
    // Compressed answers could not be redacted.
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    redact(&mut headers, tokens);
    headers
}

/// Returns the headers of an answer to pass on.
pub(super) fn of_answer(mut headers: HeaderMap, key: &Redactor) -> HeaderMap {
    remove(&mut headers, &OF_ANSWERS);
    redact(&mut headers, key);
    headers
}

/// Returns whether a body is compressed.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Returns whether a body is a stream of events.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let types = headers.get_all(header::CONTENT_TYPE).iter();
    let types = types.filter_map(|value| value.as_bytes().split(|&byte| byte == b';').next());
    types
        .map(<[u8]>::trim_ascii)
        .any(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
}

/// Removes some headers, those about the connection, and those that `Connection` names.
fn remove(headers: &mut HeaderMap, others: &[&str]) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // The framing of the message is not the connection's.
        .filter(|name| *name != header::CONTENT_LENGTH)
        .collect();
    for name in named {
        headers.remove(name);
    }
    let is_removed = |name: &&HeaderName| {
        let name = name.as_str();
        HOP_BY_HOP.contains(&name) || others.contains(&name)
    };
    // Most messages have few of them: looking for each by its name takes longer.
    let removed: Vec<HeaderName> = headers.keys().filter(is_removed).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
}

fn redact(headers: &mut HeaderMap, redactor: &Redactor) {
    for value in headers.values_mut() {
        if let Some(redacted) = redactor.redact(value.as_bytes()) {
            *value = HeaderValue::from_bytes(&redacted)
                .unwrap_or_else(|_| HeaderValue::from_static("*"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn hop_by_hop_headers_are_removed() {
        let redactor = Redactor::new(&KEY.parse().unwrap());
        let all = headers(&[
            ("connection", "close, x-one"),
            ("connection", "X-Two,content-length,,"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("content-length", "4"),
        ]);
        let sent = of_request(all.clone(), &redactor);
        assert_eq!(
            names(&sent),
            ["x-three", "content-length", "accept-encoding"]
        );
        let passed_on = of_answer(all, &redactor);
        assert_eq!(names(&passed_on), ["x-three", "content-length"]);
    }

    #[test]
    fn credentials_and_overrides_are_removed() {
        let redactor = Redactor::new(&KEY.parse().unwrap());
        let all: Vec<_> = OF_REQUESTS.iter().map(|name| (*name, "x")).collect();
        let sent = of_request(headers(&all), &redactor);
        assert_eq!(names(&sent), ["accept-encoding"]);
        assert_eq!(sent["accept-encoding"], "identity");
        let all: Vec<_> = OF_ANSWERS.iter().map(|name| (*name, "x")).collect();
        assert!(of_answer(headers(&all), &redactor).is_empty());
    }

    #[test]
    fn secrets_in_values_are_masked() {
        let redactor = Redactor::new(&KEY.parse().unwrap());
        let echoed = format!("Bearer {KEY}, x");
        let passed_on = of_answer(headers(&[("x-echo", &echoed), ("x", "y")]), &redactor);
        let masked = format!("Bearer {}, x", "*".repeat(KEY.len()));
        assert_eq!(passed_on["x-echo"], masked);
        assert_eq!(passed_on["x"], "y");
    }

    #[test]
    fn encoded_body_is_recognized() {
        for (value, encoded) in [("gzip", true), ("identity", false), ("Identity", false)] {
            assert_eq!(
                is_encoded(&headers(&[("content-encoding", value)])),
                encoded
            );
        }
        assert!(!is_encoded(&HeaderMap::new()));
    }
}

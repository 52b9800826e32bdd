//! The rules of HTTP that the library below leaves to the server: one valid `Host`, in HTTP/2 the one
//! that `:authority` names, and no transfer coding but `chunked` (RFC 9112, sections 3.2 and 6.1; RFC
//! 9113, section 8.3.1).

use std::net::Ipv6Addr;

use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request, Version};

use super::api_error::ApiError;

/// Checks the `Host` and the transfer coding of a request.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), ApiError> {
    let headers = request.headers();
    let authority = request.uri().authority();
    let is_named = match request.version() {
        Version::HTTP_2 => is_one_authority(headers, authority),
        version => has_valid_host(headers, version),
    };
    if !is_named {
        return Err(ApiError::malformed(
            "The request needs one valid Host header",
        ));
    }
    if !is_plain_or_chunked(headers) {
        return Err(ApiError::not_implemented(
            "The only transfer coding is chunked, once",
        ));
    }
    Ok(())
}

fn has_valid_host(headers: &HeaderMap, version: Version) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_authority(host.as_bytes()),
        (None, _) => version != Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// Returns whether `:authority` and `Host`, of which one may be missing, are the same valid name.
fn is_one_authority(headers: &HeaderMap, authority: Option<&Authority>) -> bool {
    let mut names = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let host = names.next();
    let authority = authority.map(|authority| authority.as_str().as_bytes());
    let are_equal = match (authority, host) {
        (Some(one), Some(two)) => one.eq_ignore_ascii_case(two),
        _ => true,
    };
    are_equal && names.next().is_none() && authority.or(host).is_some_and(is_authority)
}

fn is_plain_or_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Returns whether `text` is `uri-host [ ":" port ]` of RFC 3986, which may be empty.
fn is_authority(text: &[u8]) -> bool {
    let (host, port) = match text.strip_prefix(b"[") {
        Some(rest) => match rest.iter().position(|&byte| byte == b']') {
            Some(end) if is_ipv6(&rest[..end]) => (&b""[..], &rest[end + 1..]),
            _ => return false,
        },
        None => text.split_at(
            text.iter()
                .position(|&byte| byte == b':')
                .unwrap_or(text.len()),
        ),
    };
    is_registered_name(host) && is_port(port)
}

fn is_ipv6(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

fn is_registered_name(mut text: &[u8]) -> bool {
    while let [first, rest @ ..] = text {
        text = match (first, rest) {
            (b'%', [one, two, rest @ ..]) if one.is_ascii_hexdigit() && two.is_ascii_hexdigit() => {
                rest
            }
            (byte, rest) if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) => {
                rest
            }
            _ => return false,
        };
    }
    true
}

/// Returns whether `text` is empty, or a colon and a port, which may be empty too.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit)
                && std::str::from_utf8(digits).is_ok_and(|digits| digits.parse::<u16>().is_ok())
        }
        _ => false,
    }
}

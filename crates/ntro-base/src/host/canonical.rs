use std::net::Ipv4Addr;

use super::Host;
use crate::http::is_loopback_name;

/// Names that a mistyped scheme would leave as the name of a machine: `https//host`.
const SCHEMES: [&str; 2] = ["http", "https"];

/// Returns the host if the text is a base URL in the form in which [`Host`] keeps it. Most are, and
/// these need no URL parser: a list has thousands.
pub(super) fn canonical(text: &str) -> Option<Host> {
    let (scheme, rest) = text.split_once("://")?;
    let default_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    };
    let is_port = |port: &str| {
        let number = port.parse::<u16>();
        !port.starts_with(['0', '+']) && number.is_ok_and(|number| number != default_port)
    };
    if !port.is_none_or(is_port) || !is_plain_path(path) {
        return None;
    }
    let is_loopback = match name.parse::<Ipv4Addr>() {
        Ok(address) => address.is_loopback(),
        Err(_) if is_plain_name(name) => is_loopback_name(name),
        Err(_) => return None,
    };
    Some(Host {
        text: text.to_owned(),
        origin: text.len() - path.len(),
        is_loopback,
    })
}

/// Returns whether a name can be asked of DNS, and is that of no scheme. Underscores are not for
/// host names, but resolvers take them, and container networks use them.
pub(super) fn is_possible_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label) && !SCHEMES.contains(&name)
}

/// Returns whether the URL parser keeps a name: it is in lower case, has no encoded label and is no
/// address.
fn is_plain_name(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.bytes().any(|byte| byte.is_ascii_uppercase())
        && !name.split('.').any(|label| label.starts_with("xn--"))
        && is_possible_name(name)
}

/// Returns whether the URL parser keeps a path.
fn is_plain_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte);
    path.bytes().all(plain) && !path.contains("/.") && !path.ends_with('/')
}

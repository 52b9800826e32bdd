//! Parsers of external values: keys, hosts, names. A parsed value does not reveal a key, and its
//! text parses to the same value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntro_base::{
    ApiKey, ConnectionName, Host, Origin, ParsedKey, Scope, TenantSlug, escaped, is_hidden,
    is_printable, printable, shown_host,
};
use ntro_client::secrets::Item;

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<ApiKey>() {
        let unseen = |c: char| c.is_whitespace() || is_hidden(c);
        assert_eq!(key.expose(), text.trim_matches(unseen));
        let shown = format!("{key:?} {}", key.prefix());
        // A shorter key may also occur in the surrounding text.
        let long = key.expose().len() > 16;
        assert!(!long || !shown.contains(key.expose()), "the key is shown");
    }
    if let Some(key) = ParsedKey::parse(text) {
        assert!(text.starts_with(key.prefix()) && text.len() > key.prefix().len());
    }
    if let Ok(host) = text.parse::<Host>() {
        let again: Host = host.as_str().parse().expect("what is shown parses");
        assert_eq!(again, host);
        let origin: Origin = host.origin().as_str().parse().expect("an origin parses");
        assert_eq!(origin, host.origin());
        assert_eq!(shown_host(text), host.as_str());
        assert!(is_printable(host.as_str()));
    }
    if let Ok(name) = text.parse::<ConnectionName>() {
        assert!(is_printable(name.as_str()));
        assert_eq!(name.as_str().parse(), Ok(name));
    }
    if let Some(item) = Item::from_account(text) {
        assert_eq!(item.account(), text);
    }
    let _ = text.parse::<TenantSlug>();
    let _ = text.parse::<Scope>();
    assert!(is_printable(&printable(text, 100)));
    let shown = escaped(text);
    assert!(is_printable(&shown));
    assert_eq!(unescaped(&shown), text, "another name prints the same");
});

/// Undoes [`escaped`], which shows that no two names print the same.
fn unescaped(shown: &str) -> String {
    let mut parts = shown.split("<U+");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('>').expect("an escape ends");
        let code = u32::from_str_radix(code, 16).expect("an escape is a number");
        let character = char::from_u32(code).expect("an escape is a character");
        assert!(is_hidden(character) || matches!(character, ' ' | '<'));
        text.push(character);
        text.push_str(rest);
    }
    text
}

//! Parsers of external values: keys, hosts, names. A parsed value does not reveal a key, and its
//! text parses to the same value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntro_base::{ApiKey, ConnectionName, Host, Origin, ParsedKey, Scope, TenantSlug, printable};
use ntro_client::secrets::Item;

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<ApiKey>() {
        assert_eq!(key.expose(), text.trim());
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
    }
    if let Ok(name) = text.parse::<ConnectionName>() {
        assert_eq!(name.as_str().parse(), Ok(name));
    }
    if let Some(item) = Item::from_account(text) {
        assert_eq!(item.account(), text);
    }
    let _ = text.parse::<TenantSlug>();
    let _ = text.parse::<Scope>();
    assert!(!printable(text, 100).contains(|c: char| c.is_control()));
});

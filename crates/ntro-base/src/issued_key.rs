//! The format of keys that an authority issues, and their checksum.
//!
//! `<marker><environment>_<id>_<secret><checksum>`, for instance `ntro_prod_k9Zr4MxQ2bLw_…`. The id
//! is public and ends the displayable prefix. With the checksum, scanners and the authority
//! recognise invalid keys without a look-up.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::{ApiKey, KeyPrefix, NameError, Provider};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 62^12 is above 2^71: ids never collide in practice.
const ID_LENGTH: usize = 12;
/// 62^43 is above 2^256.
const SECRET_LENGTH: usize = 43;
/// 62^6 is above 2^32.
const CHECKSUM_LENGTH: usize = 6;

/// The environment named in a key, such as `prod`, `live` or `dev`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyEnvironment(String);

impl KeyEnvironment {
    /// The most characters that an environment may have.
    pub const LONGEST: usize = 16;

    /// The environment of tokens that stand for a key at one proxy.
    const ONE_OFF: &str = "px";

    /// Returns the environment of tokens that stand for a key at one proxy. It parses from no text,
    /// so that no key is ever issued with it.
    #[must_use]
    pub fn one_off() -> Self {
        Self(Self::ONE_OFF.to_owned())
    }

    /// Returns the environment that the provider's documentation uses for production keys.
    #[must_use]
    pub fn production(provider: Provider) -> Self {
        Self(
            match provider {
                Provider::Ntropii => "prod",
                Provider::Ontora => "live",
            }
            .to_owned(),
        )
    }

    /// Returns the environment named in the prefix of an issued key.
    #[must_use]
    pub fn of_prefix(prefix: &KeyPrefix) -> Option<Self> {
        let prefix = prefix.as_str();
        let marker = Provider::of_key(prefix)?.key_marker();
        let (environment, _id) = prefix.strip_prefix(marker)?.split_once('_')?;
        environment.parse().ok()
    }

    /// Returns the environment as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(text: &str) -> Result<(), NameError> {
        let what = "key environment";
        if text.is_empty() {
            return Err(NameError::Empty { what });
        }
        if text.len() > Self::LONGEST {
            return Err(NameError::TooLong {
                what,
                length: text.chars().count(),
                limit: Self::LONGEST,
            });
        }
        match text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9')) {
            Some(character) => Err(NameError::Character { what, character }),
            None => Ok(()),
        }
    }
}

impl FromStr for KeyEnvironment {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::check(text)?;
        match text {
            Self::ONE_OFF => Err(NameError::Reserved {
                what: "key environment",
                name: Self::ONE_OFF,
                used_for: "the tokens of proxies",
            }),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for KeyEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A newly generated key and its public id.
#[derive(Debug)]
pub struct IssuedKey {
    /// The whole key.
    pub key: ApiKey,
    /// Its public id, part of the prefix.
    pub id: String,
}

impl IssuedKey {
    /// Generates a key from random bytes that `fill` provides.
    pub fn generate<E>(
        provider: Provider,
        environment: &KeyEnvironment,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut id = String::with_capacity(ID_LENGTH);
        draw(&mut id, ID_LENGTH, &mut fill)?;
        let mut key = Zeroizing::new(String::with_capacity(96));
        key.push_str(provider.key_marker());
        key.push_str(environment.as_str());
        key.push('_');
        key.push_str(&id);
        key.push('_');
        draw(&mut key, SECRET_LENGTH, &mut fill)?;
        let sum = checksum(&key);
        key.extend(sum.map(char::from));
        let key = key
            .parse()
            .expect("base62 and underscores are visible ASCII");
        Ok(Self { key, id })
    }
}

/// Appends `count` uniformly distributed base62 characters.
fn draw<E>(
    out: &mut String,
    count: usize,
    fill: &mut impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut bytes = Zeroizing::new([0_u8; 64]);
    let mut drawn = 0;
    while drawn < count {
        fill(bytes.as_mut())?;
        // 248 is the largest multiple of 62 in a byte; larger values would bias the result.
        for &byte in bytes.iter().filter(|&&byte| byte < 248).take(count - drawn) {
            out.push(char::from(ALPHABET[usize::from(byte % 62)]));
            drawn += 1;
        }
    }
    Ok(())
}

fn checksum(head: &str) -> [u8; CHECKSUM_LENGTH] {
    let mut value = crc32fast::hash(head.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[value % 62];
        value /= 62;
    }
    digits
}

/// A text with the format and the checksum of an issued key. Borrows the text and copies nothing.
#[derive(Clone, Copy)]
pub struct ParsedKey<'a> {
    provider: Provider,
    prefix: &'a str,
    id: &'a str,
}

impl<'a> ParsedKey<'a> {
    /// Returns the parts of `text` if it is an issued key with a valid checksum.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let provider = Provider::of_key(text)?;
        let rest = text.get(provider.key_marker().len()..)?;
        let mut parts = rest.split('_');
        let (environment, id, tail) = (parts.next()?, parts.next()?, parts.next()?);
        // Checks every byte without an early exit, so that the loop is vectorised.
        let base62 = |part: &str| {
            part.bytes()
                .fold(true, |all, byte| all & byte.is_ascii_alphanumeric())
        };
        let shaped = parts.next().is_none()
            && KeyEnvironment::check(environment).is_ok()
            && id.len() == ID_LENGTH
            && base62(id)
            && tail.len() == SECRET_LENGTH + CHECKSUM_LENGTH
            && base62(tail);
        if !shaped {
            return None;
        }
        let (head, sum) = text.split_at_checked(text.len() - CHECKSUM_LENGTH)?;
        if checksum(head) != sum.as_bytes() {
            return None;
        }
        let prefix = &text[..text.len() - tail.len() - 1];
        Some(Self {
            provider,
            prefix,
            id,
        })
    }

    /// Returns the provider of the key.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Returns whether the text stands for a key at one proxy: no authority issues it.
    #[must_use]
    pub fn is_one_off(&self) -> bool {
        let environment = self.prefix.get(self.provider.key_marker().len()..);
        environment
            .and_then(|rest| rest.strip_suffix(self.id))
            .and_then(|environment| environment.strip_suffix('_'))
            == Some(KeyEnvironment::ONE_OFF)
    }

    /// Returns everything up to and including the id.
    #[must_use]
    pub fn prefix(&self) -> &'a str {
        self.prefix
    }

    /// Returns the public id.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn counting() -> impl FnMut(&mut [u8]) -> Result<(), Infallible> {
        let mut next = 0_u8;
        move |bytes| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_mul(5).wrapping_add(3);
            }
            Ok(())
        }
    }

    fn issue(provider: Provider) -> IssuedKey {
        let environment = KeyEnvironment::production(provider);
        IssuedKey::generate(provider, &environment, counting())
            .unwrap_or_else(|never| match never {})
    }

    #[test]
    fn issued_key_parses_back() {
        for provider in Provider::ALL {
            let issued = issue(provider);
            let parsed = ParsedKey::parse(issued.key.expose()).unwrap();
            assert_eq!(parsed.provider(), provider);
            assert_eq!(parsed.id(), issued.id);
            assert_eq!(issued.key.prefix().as_str(), parsed.prefix());
            assert!(parsed.prefix().ends_with(&issued.id));
        }
    }

    #[test]
    fn one_off_token_is_recognised() {
        for provider in Provider::ALL {
            let is_one_off = |environment: &KeyEnvironment| {
                let issued = IssuedKey::generate(provider, environment, counting())
                    .unwrap_or_else(|never| match never {});
                ParsedKey::parse(issued.key.expose()).unwrap().is_one_off()
            };
            assert!(is_one_off(&KeyEnvironment::one_off()));
            for other in ["p", "x", "pxx", "xpx", "prod", "live"] {
                assert!(!is_one_off(&other.parse().unwrap()), "{other}");
            }
        }
    }

    #[test]
    fn changed_character_fails_checksum() {
        let issued = issue(Provider::Ntropii);
        let text = issued.key.expose();
        for index in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[index] = if bytes[index] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(ParsedKey::parse(&changed).is_none(), "changed at {index}");
        }
    }

    #[test]
    fn documented_examples_are_not_issued_keys() {
        for text in [
            "ntro_dev_key",
            "ntro_prod_abc123",
            "ont_live_",
            "ont_",
            "",
            "é_é",
        ] {
            assert!(ParsedKey::parse(text).is_none());
        }
    }

    #[test]
    fn draws_are_uniform() {
        let mut text = String::new();
        let mut every = 0_u8..=255;
        let mut bytes = std::iter::from_fn(|| every.next().or(Some(255)));
        draw(&mut text, 248, &mut |out: &mut [u8]| {
            for byte in out {
                *byte = bytes.next().unwrap_or(255);
            }
            Ok::<(), Infallible>(())
        })
        .unwrap_or_else(|never| match never {});
        for letter in ALPHABET {
            assert_eq!(text.bytes().filter(|byte| byte == letter).count(), 4);
        }
    }

    #[test]
    fn one_off_environment_is_reserved() {
        let error = "px".parse::<KeyEnvironment>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the key environment `px` is reserved for the tokens of proxies"
        );
        let token = KeyEnvironment::one_off();
        let token = IssuedKey::generate(Provider::Ntropii, &token, counting())
            .unwrap_or_else(|never| match never {});
        assert!(ParsedKey::parse(token.key.expose()).is_some());
        assert_eq!(KeyEnvironment::of_prefix(&token.key.prefix()), None);
    }

    /// Computes CRC-32 bit by bit and base62 by hand, from their definitions.
    fn sum_by_definition(head: &str) -> String {
        let mut crc = u32::MAX;
        for byte in head.bytes() {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
            }
        }
        let digits: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').collect();
        let digit = |place| digits[(u64::from(!crc) / 62_u64.pow(place) % 62) as usize];
        (0..6).rev().map(digit).collect()
    }

    fn provider(ontora: bool) -> Provider {
        if ontora {
            Provider::Ontora
        } else {
            Provider::Ntropii
        }
    }

    prop_compose! {
        fn any_issued()(
            ontora: bool,
            environment in "[a-z0-9]{1,16}",
            id in "[0-9A-Za-z]{12}",
            secret in "[0-9A-Za-z]{43}",
        ) -> (Provider, String, String) {
            let provider = provider(ontora);
            let head = format!("{}{environment}_{id}_{secret}", provider.key_marker());
            let key = format!("{head}{}", sum_by_definition(&head));
            (provider, id, key)
        }
    }

    proptest! {
        #[test]
        fn well_formed_key_is_split((provider, id, key) in any_issued()) {
            let parsed = ParsedKey::parse(&key).unwrap();
            prop_assert_eq!(parsed.provider(), provider);
            prop_assert_eq!(parsed.id(), &id);
            prop_assert_eq!(parsed.prefix(), &key[..key.len() - 50]);
            prop_assert!(parsed.prefix().ends_with(&id));
        }

        #[test]
        fn generated_checksum_matches_definition(
            ontora: bool,
            environment in "[a-z0-9]{1,16}".prop_filter("reserved", |name| name != "px"),
            seed: u64,
        ) {
            let mut state = seed;
            let fill = |bytes: &mut [u8]| {
                for byte in bytes {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    *byte = state.to_be_bytes()[0];
                }
                Ok::<(), Infallible>(())
            };
            let environment = environment.parse().unwrap();
            let issued = IssuedKey::generate(provider(ontora), &environment, fill)
                .unwrap_or_else(|never| match never {});
            let text = issued.key.expose();
            let (head, sum) = text.split_at(text.len() - 6);
            prop_assert_eq!(sum, sum_by_definition(head));
            prop_assert_eq!(ParsedKey::parse(text).unwrap().id(), &issued.id);
        }

        #[test]
        fn typing_error_is_refused(
            (_, _, key) in any_issued(),
            index: prop::sample::Index,
            other in prop_oneof![any::<char>(), prop::char::range('0', 'z')],
            slip in 0..4_u8,
        ) {
            let mut characters: Vec<char> = key.chars().collect();
            let index = index.index(characters.len());
            match slip {
                0 => characters[index] = other,
                1 => drop(characters.remove(index)),
                2 => characters.insert(index, other),
                _ if index > 0 => characters.swap(index - 1, index),
                _ => characters.truncate(characters.len() - 1),
            }
            let changed: String = characters.into_iter().collect();
            prop_assert_eq!(ParsedKey::parse(&changed).is_some(), changed == key);
        }

        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            prop_assert!(ParsedKey::parse(&text).is_none());
        }
    }
}

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use ntro_base::{ApiKey, IssuedKey, KeyEnvironment, Provider};

/// A token that a proxy accepts in place of the key, from one child only.
///
/// It looks like an issued key of the provider, with a valid checksum, so that clients which check
/// the format accept it. Its environment is [`KeyEnvironment::one_off`], which no authority issues.
#[derive(Clone)]
pub struct OneOffToken(ApiKey);

impl OneOffToken {
    /// Generates a token from the system's random numbers.
    pub fn generate(provider: Provider) -> Result<Self, getrandom::Error> {
        let environment = KeyEnvironment::one_off();
        let issued = IssuedKey::generate(provider, &environment, getrandom::fill)?;
        Ok(Self(issued.key))
    }

    /// Returns the token as the key that the child is given.
    #[must_use]
    pub fn as_key(&self) -> &ApiKey {
        &self.0
    }

    /// Returns whether a presented key is this token. Compares in constant time.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        verify_slices_are_equal(self.0.expose().as_bytes(), presented).is_ok()
    }

    /// Returns the SHA-256 of the token, with which an authority recognises it as a tripwire.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        let hash = digest(&SHA256, self.0.expose().as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.as_ref());
        bytes
    }
}

impl fmt::Debug for OneOffToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneOffToken({}…)", self.0.prefix())
    }
}

#[cfg(test)]
mod tests {
    use ntro_base::ParsedKey;

    use super::*;

    #[test]
    fn token_looks_like_issued_key() {
        for provider in Provider::ALL {
            let token = OneOffToken::generate(provider).unwrap();
            let text = token.as_key().expose();
            assert!(text.starts_with(&format!("{}px_", provider.key_marker())));
            let parsed = ParsedKey::parse(text).unwrap();
            assert_eq!(parsed.provider(), provider);
            assert!(!format!("{token:?}").contains(text));
        }
    }

    #[test]
    fn token_matches_itself_only() {
        let token = OneOffToken::generate(Provider::Ntropii).unwrap();
        let text = token.as_key().expose();
        assert!(token.matches(text.as_bytes()));
        let other = OneOffToken::generate(Provider::Ntropii).unwrap();
        for presented in [other.as_key().expose(), "", &text[1..], &format!("{text}0")] {
            assert!(!token.matches(presented.as_bytes()));
        }
    }

    #[test]
    fn hash_is_sha256() {
        let key = "abc".parse().unwrap();
        let hash = OneOffToken(key).sha256();
        assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(hash[28..], [0xf2, 0x00, 0x15, 0xad]);
    }
}

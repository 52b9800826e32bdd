use aws_lc_rs::hmac;

use crate::store::KeyHash;

/// As long as the hash.
pub(crate) const PEPPER_LENGTH: usize = 32;
/// Hashed and stored in the database, so that a wrong pepper is found at the start.
const PEPPER_CHECK: &[u8] = b"ntro authority pepper check";

/// Hashes keys with the authority's pepper.
///
/// A key has 256 random bits, so a fast keyed hash is enough: the key cannot be guessed, and without
/// the pepper a stolen database cannot even check a guess.
#[derive(Clone)]
pub(crate) struct Hasher(hmac::Key);

impl Hasher {
    pub(crate) fn new(pepper: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, pepper))
    }

    /// Returns the proof of the pepper, which the database keeps.
    pub(crate) fn pepper_check(&self) -> [u8; 32] {
        self.digest(PEPPER_CHECK)
    }

    /// Hashes a key.
    pub(crate) fn hash(&self, key: &str) -> KeyHash {
        KeyHash(self.digest(key.as_bytes()))
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        digest
    }
}

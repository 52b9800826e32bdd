//! A key and the one origin it may be sent to.

use ntro_base::{ApiKey, KeyPrefix, Origin};

/// A key bound to its origin: reading it requires the origin it will be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundKey {
    key: ApiKey,
    origin: Origin,
}

impl BoundKey {
    /// Binds a key to an origin.
    #[must_use]
    pub fn new(key: ApiKey, origin: Origin) -> Self {
        Self { key, origin }
    }

    /// Returns the key if `origin` is the one it is bound to.
    pub(crate) fn for_origin(&self, origin: &Origin) -> Option<&ApiKey> {
        (self.origin == *origin).then_some(&self.key)
    }

    /// Returns the origin that the key is bound to.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns whether a text contains the key. A key of a few characters could be anywhere by
    /// accident.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        const SHORTEST: usize = 8;

        let key = self.key.expose();
        key.len() >= SHORTEST && text.contains(key)
    }

    /// Returns what makes the key an unlikely one.
    #[must_use]
    pub fn oddity(&self) -> Option<&'static str> {
        self.key.oddity()
    }

    /// Returns the displayable start of the key.
    #[must_use]
    pub fn prefix(&self) -> KeyPrefix {
        self.key.prefix()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_bound_to_origin() {
        let origin = |text: &str| text.parse::<Origin>().unwrap();
        let bound = BoundKey::new("k".parse().unwrap(), origin("https://a.example"));
        assert!(bound.for_origin(&origin("https://a.example:443")).is_some());
        for other in [
            "http://a.example",
            "https://b.example",
            "https://a.example:8443",
        ] {
            assert!(bound.for_origin(&origin(other)).is_none(), "{other}");
        }
    }
}

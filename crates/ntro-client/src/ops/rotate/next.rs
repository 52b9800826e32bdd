//! Decides how a rotation continues, from its record and the stored key.

use super::journal::{Method, Unfinished};
use ntro_base::KeyPrefix;

/// The next step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// No rotation is unfinished: one may start.
    Begin,
    /// The old key is stored: revoke any new one.
    RollBack(Method),
    /// The new key is stored: revoke the old one.
    Complete(Method),
    /// Another key is stored than either of the two: another program replaced it.
    Stranded,
}

impl Next {
    /// Decides by the prefix of the stored key.
    #[must_use]
    pub fn of(recorded: Option<&Unfinished>, stored: &KeyPrefix) -> Self {
        let Some(recorded) = recorded else {
            return Self::Begin;
        };
        // Checks the old key first: if the user provides the new key, both prefixes may be equal.
        // Both keys are then valid, and starting again is the only safe answer.
        if recorded.old_prefix == stored.as_str() {
            Self::RollBack(recorded.method)
        } else if recorded.new_prefix.as_deref() == Some(stored.as_str()) {
            Self::Complete(recorded.method)
        } else {
            Self::Stranded
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_key_decides_next_step() {
        let recorded = |method, new: Option<&str>| Unfinished {
            method,
            provider: "ontora".into(),
            origin: "https://api.ontora.com".into(),
            store: "file".into(),
            nonce: String::new(),
            tenant: None,
            asked: None,
            old_prefix: "old".into(),
            old_id: None,
            new_prefix: new.map(str::to_owned),
            new_id: None,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            grace: 0,
            quiet: 0,
            revoke_after: None,
        };
        let next = |recorded: Option<&Unfinished>, stored| {
            Next::of(recorded, &KeyPrefix::recorded(stored))
        };
        assert_eq!(next(None, "old"), Next::Begin);
        for method in Method::ALL {
            for (new, stored, expected) in [
                // Killed before, during or after creating the key.
                (None, "old", Next::RollBack(method)),
                (Some("new"), "old", Next::RollBack(method)),
                // Killed after storing it.
                (Some("new"), "new", Next::Complete(method)),
                // Another login stored another key meanwhile.
                (None, "new", Next::Stranded),
                (Some("new"), "other", Next::Stranded),
                // Two equal prefixes.
                (Some("old"), "old", Next::RollBack(method)),
            ] {
                let recorded = recorded(method, new);
                assert_eq!(
                    next(Some(&recorded), stored),
                    expected,
                    "{method} {new:?} {stored}"
                );
            }
        }
    }
}

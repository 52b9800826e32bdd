//! What is to be done about a rotation, from what is recorded and what is stored.

use super::journal::{Method, Unfinished};
use ntro_base::KeyPrefix;

/// What the next step of a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// None is under way: one may begin.
    Begin,
    /// The old key is stored: whatever was made in its place is to be revoked.
    RollBack(Method),
    /// The new key is stored: the old one is to be revoked.
    Complete(Method),
    /// Another key is stored than either of the two: somebody has replaced it.
    Stranded,
}

impl Next {
    /// Decides, for the key that is stored now.
    #[must_use]
    pub fn of(recorded: Option<&Unfinished>, stored: &KeyPrefix) -> Self {
        let Some(recorded) = recorded else {
            return Self::Begin;
        };
        // The old one first: where a person brings the new key, the heads of both may be alike.
        // Both keys are live then, and beginning anew is the one answer that claims nothing.
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
    fn what_is_stored_decides() {
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
            revoke_after: None,
        };
        let next = |recorded: Option<&Unfinished>, stored| {
            Next::of(recorded, &KeyPrefix::recorded(stored))
        };
        assert_eq!(next(None, "old"), Next::Begin);
        for method in Method::ALL {
            for (new, stored, expected) in [
                // Killed before, while or after the key was made.
                (None, "old", Next::RollBack(method)),
                (Some("new"), "old", Next::RollBack(method)),
                // Killed after it was stored.
                (Some("new"), "new", Next::Complete(method)),
                // Somebody logged in with another key meanwhile.
                (None, "new", Next::Stranded),
                (Some("new"), "other", Next::Stranded),
                // Two heads that cannot be told apart.
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

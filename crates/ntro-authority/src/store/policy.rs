//! What a tenant demands of its new keys.

use std::fmt;

use jiff::SignedDuration;

use super::ApiKeyRecord;
use ntro_base::Scope;

/// The rules for the new keys of a tenant: those that admins create, successors and children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPolicy {
    /// The most days from the creation of a key to its expiry. Every key must then expire.
    pub longest_life_in_days: Option<u32>,
    /// Whether every key must expire.
    pub expiry_required: bool,
    /// The scopes that keys may have; `None` is every scope. Keys of Ntropii have none.
    pub allowed_scopes: Option<Vec<Scope>>,
}

/// A rule of a policy that a key breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyViolation {
    /// The key would live for more days than this.
    LongestLife(u32),
    /// The key would not expire.
    ExpiryRequired,
    /// The key would have this scope.
    Scope(Scope),
}

/// The rules of a policy that a key breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyViolations(pub Vec<PolicyViolation>);

impl KeyPolicy {
    /// Returns the longest life of a key.
    pub(crate) fn longest_life(&self) -> Option<SignedDuration> {
        let days = self.longest_life_in_days?;
        Some(SignedDuration::from_hours(i64::from(days) * 24))
    }

    /// Returns the names of the allowed scopes; `None` if every scope is allowed.
    #[must_use]
    pub fn allowed_scope_names(&self) -> Option<Vec<&'static str>> {
        let scopes = self.allowed_scopes.as_deref()?;
        Some(scopes.iter().map(|scope| scope.as_str()).collect())
    }

    /// Returns the rules that a new key breaks.
    pub(crate) fn violations(&self, key: &ApiKeyRecord) -> Vec<PolicyViolation> {
        let mut found = Vec::new();
        let life = key.expires_at.map(|at| at.duration_since(key.created_at));
        match (self.longest_life_in_days, self.longest_life()) {
            (Some(days), Some(longest)) if life.is_none_or(|life| life > longest) => {
                found.push(PolicyViolation::LongestLife(days));
            }
            _ if self.expiry_required && life.is_none() => {
                found.push(PolicyViolation::ExpiryRequired);
            }
            _ => {}
        }
        if let Some(allowed) = &self.allowed_scopes {
            let forbidden = key.scopes.iter().filter(|one| !one.is_granted_by(allowed));
            found.extend(forbidden.copied().map(PolicyViolation::Scope));
        }
        found
    }
}

impl PolicyViolation {
    /// Returns the name of the rule.
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::LongestLife(_) => "longest_life",
            Self::ExpiryRequired => "expiry_required",
            Self::Scope(_) => "allowed_scopes",
        }
    }
}

impl fmt::Display for PolicyViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongestLife(1) => f.write_str("the policy of the tenant limits keys to one day"),
            Self::LongestLife(days) => {
                write!(f, "the policy of the tenant limits keys to {days} days")
            }
            Self::ExpiryRequired => f.write_str("the policy of the tenant requires an expiry"),
            Self::Scope(scope) => {
                write!(
                    f,
                    "the policy of the tenant does not allow the scope `{scope}`"
                )
            }
        }
    }
}

impl fmt::Display for PolicyViolations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{violation}")?;
        }
        Ok(())
    }
}

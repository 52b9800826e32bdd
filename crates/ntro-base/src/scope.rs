//! The scopes of an Ontora key.

use std::fmt;
use std::str::FromStr;

/// A right that an Ontora key carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Campaigns, contacts, transcripts, queries and reports.
    Interviews,
    /// Exports of transcripts and reports.
    Exports,
    /// Webhook subscriptions and their delivery logs.
    Webhooks,
    /// Connecting to the MCP server.
    Mcp,
    /// All of the above; never includes key management.
    All,
}

impl Scope {
    /// Returns whether a holder of `scopes` may use this one. `*` is granted by all the others
    /// together, too.
    #[must_use]
    pub fn is_granted_by(self, scopes: &[Self]) -> bool {
        let is_granted = |one: Self| scopes.iter().any(|own| own.grants(one));
        match self {
            Self::All => Self::ALL
                .into_iter()
                .all(|one| one == Self::All || is_granted(one)),
            one => is_granted(one),
        }
    }

    /// Every scope, `*` last.
    pub const ALL: [Self; 5] = [
        Self::Interviews,
        Self::Exports,
        Self::Webhooks,
        Self::Mcp,
        Self::All,
    ];

    /// Returns the name used on the wire and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interviews => "interviews",
            Self::Exports => "exports",
            Self::Webhooks => "webhooks",
            Self::Mcp => "mcp",
            Self::All => "*",
        }
    }

    /// Returns whether this scope includes `required`.
    #[must_use]
    pub fn grants(self, required: Self) -> bool {
        self == Self::All || self == required
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A scope name that is not one of [`Scope::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope `{0}`: expected `interviews`, `exports`, `webhooks`, `mcp` or `*`")]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| UnknownScope(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_grants_every_scope() {
        for scope in Scope::ALL {
            assert!(Scope::All.grants(scope));
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(
                Scope::Exports.grants(scope),
                scope == Scope::Exports,
                "{scope}"
            );
        }
    }
}

//! What may become of a connection's key.

use std::fmt;
use std::str::FromStr;

/// Under which conditions `ntro` lets the key of a connection out of its hands: printed, put into
/// an environment, given to another program. Its own calls use the key in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Whenever it is asked for.
    #[default]
    Open,
    /// After a person has said yes on the terminal.
    Confirm,
    /// Never.
    Keyless,
}

impl Policy {
    /// Every policy, from the weakest to the strictest.
    pub const ALL: [Self; 3] = [Self::Open, Self::Confirm, Self::Keyless];

    /// Returns the name used in configuration, options and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "none",
            Self::Confirm => "confirm",
            Self::Keyless => "keyless",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A policy that is not one of [`Policy::ALL`]. Does not repeat the text, which may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown policy: expected `keyless`, `confirm` or `none`")]
pub struct UnknownPolicy;

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or(UnknownPolicy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_parses_from_its_own_name_and_nothing_else_does() {
        for policy in Policy::ALL {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        for text in ["", "Keyless", "keyless ", "open", "off"] {
            assert_eq!(text.parse::<Policy>(), Err(UnknownPolicy), "{text}");
        }
    }
}

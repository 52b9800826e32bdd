//! The policy of a connection: whether its key may leave `ntro`.

use std::fmt;
use std::str::FromStr;

/// When `ntro` reveals the key of a connection: prints it, puts it into an environment or passes it
/// to another program. The policy does not affect the calls of `ntro` itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Always.
    #[default]
    Open,
    /// After confirmation on the terminal.
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

/// A text that names no policy. The error does not repeat the text, which may be a secret.
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
    fn policy_parses_from_its_name_only() {
        for policy in Policy::ALL {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        for text in ["", "Keyless", "keyless ", "open", "off"] {
            assert_eq!(text.parse::<Policy>(), Err(UnknownPolicy), "{text}");
        }
    }
}

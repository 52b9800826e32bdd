use std::fmt;

use uuid::Uuid;

/// Who reads or changes the registry. The audit table records the actor of every change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person with a token.
    User {
        /// The `iss` of the token.
        issuer: String,
        /// The `sub` of the token.
        subject: String,
    },
    /// A key that acts on itself.
    Key(Uuid),
    /// `ntro admin` or `ntro dev`, on the machine that holds the database.
    CommandLine,
    /// The authority itself.
    System,
}

impl Actor {
    /// Returns the kind, as the audit table has it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Key(_) => "key",
            Self::CommandLine => "command_line",
            Self::System => "system",
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { issuer, subject } => write!(f, "{subject} of {issuer}"),
            Self::Key(id) => write!(f, "key {id}"),
            Self::CommandLine => f.write_str("the command line"),
            Self::System => f.write_str("the authority"),
        }
    }
}

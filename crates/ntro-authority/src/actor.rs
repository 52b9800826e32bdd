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
    /// A report of leaked keys.
    LeakReport(LeakReporter),
    /// The authority itself.
    System,
}

/// Who reports leaked keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeakReporter {
    /// GitHub, by a signed report.
    Github,
    /// Someone who has the key.
    Finder,
}

impl LeakReporter {
    /// Returns the name, as the audit table has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Finder => "finder",
        }
    }
}

impl fmt::Display for LeakReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Github => "a leak report of GitHub",
            Self::Finder => "a leak report",
        })
    }
}

impl Actor {
    /// Returns the kind, as the audit table has it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Key(_) => "key",
            Self::CommandLine => "command_line",
            Self::LeakReport(_) => "leak_report",
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
            Self::LeakReport(reporter) => reporter.fmt(f),
            Self::System => f.write_str("the authority"),
        }
    }
}

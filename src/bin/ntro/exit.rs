//! Exit codes, in one place.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Exit code 0.
    Success,
    /// The command ran and reported its result, which counts as a failure.
    Failure(Kind),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Failure(kind) => kind.into(),
        }
    }
}

/// What kind of failure it was: chooses the exit code, and the `code` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything that is none of the others.
    Failure,
    /// The command line does not make sense.
    Usage,
    /// A file of ours is missing something or cannot be used.
    Config,
    /// The connection named does not exist.
    UnknownConnection,
    /// There is no key, or the server does not take it.
    NotAuthenticated,
    /// The key is good, but not for this.
    Forbidden,
    /// No answer from the server.
    Unreachable,
    /// The server asks for timeout.
    RateLimited,
    /// The secret store is not there, locked, hung or refusing.
    Store,
    /// Something else stands in the way.
    Conflict,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    /// Every kind, in the order of the reference page.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 11] = [
        Self::Failure,
        Self::Usage,
        Self::Config,
        Self::UnknownConnection,
        Self::NotAuthenticated,
        Self::Forbidden,
        Self::Unreachable,
        Self::RateLimited,
        Self::Store,
        Self::Conflict,
        Self::Interrupted,
    ];

    /// Returns the exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Config | Self::UnknownConnection => 3,
            Self::NotAuthenticated => 4,
            Self::Forbidden => 5,
            Self::Unreachable => 6,
            Self::RateLimited => 7,
            Self::Store => 8,
            Self::Conflict => 9,
            Self::Interrupted => 130,
        }
    }

    /// Returns the name that programs read.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::Config => "config",
            Self::UnknownConnection => "unknown_connection",
            Self::NotAuthenticated => "not_authenticated",
            Self::Forbidden => "forbidden",
            Self::Unreachable => "unreachable",
            Self::RateLimited => "rate_limited",
            Self::Store => "secret_store",
            Self::Conflict => "conflict",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Kind> for ExitCode {
    fn from(kind: Kind) -> Self {
        Self::from(kind.code())
    }
}

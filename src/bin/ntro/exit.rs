//! All exit codes.

use std::process::ExitCode;

/// Outcome of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Exit code 0.
    Success,
    /// The command ran and reported its result, which counts as a failure.
    Failure(Kind),
    /// The exit code of a program that the command ran.
    Program(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Failure(kind) => kind.into(),
            Exit::Program(code) => code.into(),
        }
    }
}

/// Kind of an error: determines the exit code, and `code` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any other error.
    Failure,
    /// The command line is invalid.
    Usage,
    /// A configuration file or value is missing or invalid.
    Config,
    /// The named connection does not exist.
    UnknownConnection,
    /// There is no key, or the server rejects it.
    NotAuthenticated,
    /// The key is valid but does not permit the call.
    Forbidden,
    /// The server does not answer.
    Unreachable,
    /// The server limits the rate of calls.
    RateLimited,
    /// The secret store is missing, locked, not responding or refuses.
    Store,
    /// Existing state conflicts with the command.
    Conflict,
    /// The program to run exists but cannot be run.
    NotExecutable,
    /// The program to run does not exist.
    ProgramNotFound,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    /// Every kind, in the order of the help.
    pub(crate) const ALL: [Self; 13] = [
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
        Self::NotExecutable,
        Self::ProgramNotFound,
        Self::Interrupted,
    ];

    /// Returns the exit code as a number.
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
            Self::NotExecutable => 126,
            Self::ProgramNotFound => 127,
            Self::Interrupted => 130,
        }
    }

    /// Returns the description of the exit code, for the help.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Failure => "any other failure",
            Self::Usage => "the command line is invalid",
            Self::Config => "a configuration file or a setting in it is invalid",
            Self::UnknownConnection => "no connection has that name",
            Self::NotAuthenticated => "there is no key or token, or the server does not accept it",
            Self::Forbidden => "the key or token is valid, but not for this call",
            Self::Unreachable => "the server does not answer",
            Self::RateLimited => "the server limits the rate of requests, after all retries",
            Self::Store => "the secret store is missing, locked, hung or refuses access",
            Self::Conflict => "a conflict with something that already exists",
            Self::NotExecutable => "the program of `ntro exec` exists but cannot be run",
            Self::ProgramNotFound => "the program of `ntro exec` does not exist",
            Self::Interrupted => "interrupted with Ctrl-C",
        }
    }

    /// Returns the name in JSON.
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
            Self::NotExecutable => "not_executable",
            Self::ProgramNotFound => "program_not_found",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Kind> for ExitCode {
    fn from(kind: Kind) -> Self {
        Self::from(kind.code())
    }
}

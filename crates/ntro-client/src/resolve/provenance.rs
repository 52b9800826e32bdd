use std::fmt;
use std::path::PathBuf;

use crate::secrets::StoreKind;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// An option of the command line.
    Flag(&'static str),
    /// A positional argument of the command line.
    Argument(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A project's `.ntro.toml`.
    Pin(PathBuf),
    /// The absence of a `.ntro.toml` in the folder and its parents.
    NoPin,
    /// A key of `config.toml`.
    Config {
        /// The file.
        path: PathBuf,
        /// The dotted key.
        key: String,
    },
    /// The record of the last login.
    KeyRecord(PathBuf),
    /// The recorded settings of an entry that another program has rewritten.
    Recorded(PathBuf),
    /// A secret store.
    Store(StoreKind),
    /// Inferred from another value, such as the prefix of the key.
    Inferred(&'static str),
    /// The program's own default.
    Default,
    /// The server's answer.
    Server,
}

impl Source {
    /// Returns the code of the kind of source, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Flag(_) => "option",
            Self::Argument(_) => "argument",
            Self::Variable(_) => "variable",
            Self::Pin(_) => "pin",
            Self::NoPin => "no_pin",
            Self::Config { .. } => "config",
            Self::KeyRecord(_) => "login",
            Self::Recorded(_) => "record",
            Self::Store(_) => "store",
            Self::Inferred(_) => "inferred",
            Self::Default => "default",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "`{flag}`"),
            Self::Argument(name) => write!(f, "the argument `{name}`"),
            Self::Variable(name) => write!(f, "the variable `{name}`"),
            Self::Pin(path) => write!(f, "`{}`", path.display()),
            Self::NoPin => f.write_str("no `.ntro.toml` here or above"),
            Self::Config { path, key } => write!(f, "`{key}` in `{}`", path.display()),
            Self::KeyRecord(path) => write!(f, "the last login, in `{}`", path.display()),
            Self::Recorded(path) => write!(f, "the record in `{}`", path.display()),
            Self::Store(kind) => write!(f, "the {kind} store"),
            Self::Inferred(what) => f.write_str(what),
            Self::Default => f.write_str("the default"),
            Self::Server => f.write_str("the server"),
        }
    }
}

/// A value with its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub source: Source,
}

/// A source that was checked for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The source.
    pub source: Source,
    /// The value there, safe to display: only the prefix of a key.
    pub found: Option<String>,
}

/// How a value was resolved: its sources in order of precedence. The first one with a value wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The sources, highest precedence first.
    pub candidates: Vec<Candidate>,
}

impl Trace {
    /// Adds the source with the next lower precedence.
    pub(super) fn push(&mut self, source: Source, found: Option<impl Into<String>>) {
        self.candidates.push(Candidate {
            source,
            found: found.map(Into::into),
        });
    }

    /// Returns the candidate that won, if any source had a value.
    #[must_use]
    pub fn winner(&self) -> Option<&Candidate> {
        self.candidates
            .iter()
            .find(|candidate| candidate.found.is_some())
    }

    /// Returns the first source with a value that is neither an option nor a variable, if a
    /// variable overrides it with a different value.
    pub(super) fn overridden(&self) -> Option<(&'static str, &Candidate)> {
        let winner = self.winner()?;
        let Source::Variable(variable) = winner.source else {
            return None;
        };
        let is_meant = |place: &&Candidate| {
            place.found.is_some()
                && !matches!(
                    place.source,
                    Source::Flag(_) | Source::Argument(_) | Source::Variable(_)
                )
        };
        let over = self.candidates.iter().find(is_meant)?;
        (over.found != winner.found).then_some((variable, over))
    }

    /// Returns the value that won as text, with its source.
    pub(super) fn chosen(&self) -> Option<Sourced<&str>> {
        self.candidates.iter().find_map(|candidate| {
            Some(Sourced {
                value: candidate.found.as_deref()?,
                source: candidate.source.clone(),
            })
        })
    }
}

use std::fmt;
use std::path::PathBuf;

use crate::secrets::StoreKind;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// An option of the command line.
    Flag(&'static str),
    /// A word of the command line that is no option.
    Argument(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A project's `.ntro.toml`.
    Pin(PathBuf),
    /// That there is no `.ntro.toml` in the folder or above it.
    NoPin,
    /// A key of `config.toml`.
    Config {
        /// The file.
        path: PathBuf,
        /// The dotted key.
        key: String,
    },
    /// What was written down at the last login.
    KeyRecord(PathBuf),
    /// What was written down of the configuration before somebody else rewrote it.
    Recorded(PathBuf),
    /// A secret store.
    Store(StoreKind),
    /// The push of another value, such as a key's first characters.
    Inferred(&'static str),
    /// The program's own default.
    Default,
    /// The server's answer.
    Server,
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

/// A value that knows where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub source: Source,
}

/// One place where a value was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The place.
    pub source: Source,
    /// What stood there, fit to be shown: of a key, the prefix only.
    pub found: Option<String>,
}

/// How one value was decided: its sources in order. The first that has something wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The places, strongest first.
    pub candidates: Vec<Candidate>,
}

impl Trace {
    /// Adds the next weaker place.
    pub(super) fn push(&mut self, source: Source, found: Option<impl Into<String>>) {
        self.candidates.push(Candidate {
            source,
            found: found.map(Into::into),
        });
    }

    /// Returns the candidate that won, if any place had something.
    #[must_use]
    pub fn winner(&self) -> Option<&Candidate> {
        self.candidates
            .iter()
            .find(|candidate| candidate.found.is_some())
    }

    /// Returns the strongest place that has something and is neither an option nor a variable,
    /// where a variable has won over it with something else.
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

use std::io;

use serde::{Deserialize, Serialize};

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The seal refused it.
    Refused,
    /// It reached the canary in spite of the seal.
    Succeeded,
    /// It did not reach the canary without the seal either, so it shows nothing.
    NotTried,
}

/// A named attempt and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The name.
    pub name: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The system's answer.
    pub why: String,
}

/// Why an attempt did not reach the canary.
pub(super) enum Failure {
    /// The system refused it, or the canary was not there.
    Refused(String),
    /// This machine or user has nothing to try it on.
    NotTried(&'static str),
}

impl<E: Into<io::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Refused(error.into().to_string())
    }
}

impl Attempt {
    pub(super) fn new(name: &str, result: Result<(), Failure>) -> Self {
        let (outcome, why) = match result {
            Ok(()) => (Outcome::Succeeded, "reached the canary".to_owned()),
            Err(Failure::Refused(why)) => (Outcome::Refused, why),
            Err(Failure::NotTried(why)) => (Outcome::NotTried, why.to_owned()),
        };
        Self {
            name: name.to_owned(),
            outcome,
            why,
        }
    }

    /// Combines the outcome of the same attempt without and with the seal.
    pub(super) fn judged(unsealed: Self, sealed: Option<Self>) -> Self {
        match (unsealed.outcome, sealed) {
            (Outcome::Succeeded, Some(sealed)) => sealed,
            (Outcome::Succeeded, None) => Self {
                outcome: Outcome::NotTried,
                why: "the sealed process ended early".to_owned(),
                ..unsealed
            },
            (Outcome::Refused, _) => Self {
                outcome: Outcome::NotTried,
                why: format!("fails unsealed as well: {}", unsealed.why),
                ..unsealed
            },
            (Outcome::NotTried, _) => unsealed,
        }
    }
}

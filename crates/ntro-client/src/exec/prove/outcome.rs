use std::io;

use serde::{Deserialize, Serialize};

/// The result of an attempt.
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
    /// What it is tried on does not work, so that a refusal would show nothing.
    Broken,
}

impl<E: Into<io::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Refused(error.into().to_string())
    }
}

impl Attempt {
    /// Returns none if the attempt could not be made.
    pub(super) fn new(name: &str, result: Result<(), Failure>) -> Option<Self> {
        let (outcome, why) = match result {
            Ok(()) => (Outcome::Succeeded, "reached the canary".to_owned()),
            Err(Failure::Refused(why)) => (Outcome::Refused, why),
            Err(Failure::NotTried(why)) => (Outcome::NotTried, why.to_owned()),
            Err(Failure::Broken) => return None,
        };
        Some(Self {
            name: name.to_owned(),
            outcome,
            why,
        })
    }

    /// Combines the outcome of the same attempt without and with the seal; each is missing if its
    /// process ended early.
    pub(super) fn judged(name: &str, unsealed: Option<Self>, sealed: Option<Self>) -> Self {
        let not_tried = |why: String| Self {
            name: name.to_owned(),
            outcome: Outcome::NotTried,
            why,
        };
        let (Some(unsealed), Some(sealed)) = (unsealed, sealed) else {
            return not_tried("the attempt ended early".to_owned());
        };
        match (unsealed.outcome, sealed.outcome) {
            // There was something to try it on, and with the seal there is nothing.
            (Outcome::Succeeded, Outcome::NotTried) => Self {
                outcome: Outcome::Refused,
                ..sealed
            },
            (Outcome::Succeeded, _) => sealed,
            (Outcome::Refused, _) => not_tried(format!("fails unsealed as well: {}", unsealed.why)),
            (Outcome::NotTried, _) => unsealed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempt_counts_if_it_succeeds_unsealed() {
        use Outcome::{NotTried, Refused, Succeeded};
        let made = |outcome| {
            Some(Attempt {
                name: "file".to_owned(),
                outcome,
                why: "why".to_owned(),
            })
        };
        for (unsealed, sealed, expected) in [
            (made(Succeeded), made(Refused), Refused),
            (made(Succeeded), made(Succeeded), Succeeded),
            // The seal took away what it could be tried on.
            (made(Succeeded), made(NotTried), Refused),
            (made(Refused), made(Refused), NotTried),
            (made(Refused), made(Succeeded), NotTried),
            (made(NotTried), made(Refused), NotTried),
            (made(Succeeded), None, NotTried),
            (None, made(Refused), NotTried),
        ] {
            let judged = Attempt::judged("file", unsealed.clone(), sealed.clone());
            assert_eq!(judged.outcome, expected, "{unsealed:?} {sealed:?}");
        }
    }
}

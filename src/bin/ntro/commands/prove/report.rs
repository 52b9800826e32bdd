use serde::Serialize;

use crate::output::{Paint, Report, plain};

/// Outcomes of all attempts.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ProvedAttempts {
    /// Attempts in the order in which they were made.
    pub(super) attempts: Vec<ProvedAttempt>,
    /// What to do if one succeeded.
    #[serde(skip)]
    pub(super) fix: &'static str,
}

/// Outcome of one attempt.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ProvedAttempt {
    /// Name of the attempt, with its group before the colon.
    pub(super) name: String,
    /// Outcome in the box.
    pub(super) outcome: ProvedOutcome,
    /// The system's answer, or why it was not tried.
    pub(super) why: String,
}

/// Outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) enum ProvedOutcome {
    /// It succeeds without the seal, and not in the box.
    Refused,
    /// It succeeds in the box.
    Succeeded,
    /// It fails without the seal as well.
    NotTried,
}

/// Numbers of attempts.
pub(crate) struct Counts {
    pub(crate) refused: usize,
    pub(crate) succeeded: usize,
    pub(crate) not_tried: usize,
}

impl ProvedAttempts {
    pub(crate) fn counts(&self) -> Counts {
        let count = |outcome| {
            let attempts = self.attempts.iter();
            attempts.filter(|it| it.outcome == outcome).count()
        };
        Counts {
            refused: count(ProvedOutcome::Refused),
            succeeded: count(ProvedOutcome::Succeeded),
            not_tried: count(ProvedOutcome::NotTried),
        }
    }

    /// Returns what to do if an attempt succeeded.
    pub(crate) fn fix(&self) -> &'static str {
        self.fix
    }
}

#[cfg(test)]
impl ProvedAttempts {
    /// Returns attempts that were all refused.
    pub(crate) fn refused<const N: usize>(names: [&str; N]) -> Self {
        let attempts = names.map(|name| ProvedAttempt {
            name: name.to_owned(),
            outcome: ProvedOutcome::Refused,
            why: String::new(),
        });
        Self {
            attempts: attempts.into(),
            fix: "seal it",
        }
    }

    /// Makes an attempt succeed.
    pub(crate) fn succeed(&mut self, name: &str) {
        let mut attempts = self.attempts.iter_mut();
        let attempt = attempts.find(|attempt| attempt.name == name);
        attempt.expect("the attempt was made").outcome = ProvedOutcome::Succeeded;
    }
}

impl Report for ProvedAttempts {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        let mut last = "";
        for attempt in &self.attempts {
            let (group, name) = attempt.name.split_once(": ").unwrap_or(("", &attempt.name));
            if group != last {
                text.push_str(&format!("{}\n", paint.bold(&plain(group))));
                last = group;
            }
            let (name, why) = (plain(name), plain(&attempt.why));
            text.push_str(&match attempt.outcome {
                ProvedOutcome::Refused => paint.marked(&paint.good("✓"), &name),
                ProvedOutcome::Succeeded => {
                    paint.marked(&paint.bad("✗"), &format!("{name}: succeeded"))
                }
                ProvedOutcome::NotTried => {
                    let line = format!("{name}: not tried ({why})");
                    paint.marked(&paint.dim("-"), &line)
                }
            });
        }
        let counts = self.counts();
        text.push_str(&format!(
            "\n{} refused, {} succeeded, {} not tried\n",
            counts.refused, counts.succeeded, counts.not_tried
        ));
        if counts.succeeded > 0 {
            text.push_str(&paint.marked(&paint.bold("→"), self.fix));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_groups_and_summary() {
        let made = |name: &str, outcome, why: &str| ProvedAttempt {
            name: name.to_owned(),
            outcome,
            why: why.to_owned(),
        };
        let mut attempts = ProvedAttempts {
            attempts: vec![
                made("file: link", ProvedOutcome::Refused, "No such file"),
                made("file: disk", ProvedOutcome::NotTried, "there is no disk"),
            ],
            fix: "seal it",
        };
        assert_eq!(
            attempts.text(Paint::plain()),
            "file\n✓ link\n- disk: not tried (there is no disk)\n\n\
             1 refused, 0 succeeded, 1 not tried\n"
        );
        let reached = made("memory: maps", ProvedOutcome::Succeeded, "reached it");
        attempts.attempts.push(reached);
        assert!(attempts.text(Paint::plain()).ends_with(
            "memory\n✗ maps: succeeded\n\n1 refused, 1 succeeded, 1 not tried\n→ seal it\n"
        ));
    }
}

//! The seal of keyless programs: what attacks on the keys come to.

use std::time::Duration;

use super::Findings;
use crate::commands::prove::{self, Proof, ProvedAttempts, Trial};
use crate::context::Context;

const CHECK: &str = "seal";
/// Each run of the attempts takes less than a second on most machines.
const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn check(cx: &Context, findings: &mut Findings) {
    // Without it, there is no key to protect.
    if !cx.home().is_ok_and(|home| home.folder().is_dir()) {
        return;
    }
    let trial = Trial {
        seal: None,
        command: Vec::new(),
        with_connection: false,
        limit: Some(LIMIT),
    };
    match prove::attempts(&trial, cx) {
        Ok(Proof::Made(attempts)) => report(&attempts, findings),
        Ok(Proof::NoBox(_)) => failed(findings, "no keyless program can be started"),
        Err(error) => failed(findings, &error.message),
    }
}

fn report(attempts: &ProvedAttempts, findings: &mut Findings) {
    let counts = attempts.counts();
    let tried = counts.refused + counts.succeeded;
    let (succeeded, not_tried) = (counts.succeeded, counts.not_tried);
    match succeeded {
        0 => findings.ok(
            CHECK,
            format!("a keyless program reaches no key, in {tried} attempts ({not_tried} not tried)"),
        ),
        _ => findings.warning(
            CHECK,
            format!(
                "a keyless program can reach more than it should: {succeeded} of {tried} attempts succeed ({not_tried} not tried)"
            ),
            format!("{}; `ntro prove` lists the attempts", attempts.fix()),
        ),
    }
}

fn failed(findings: &mut Findings, message: &str) {
    findings.warning(CHECK, message, "ntro prove");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(attempts: &ProvedAttempts) -> serde_json::Value {
        let mut findings = Findings::default();
        report(attempts, &mut findings);
        assert!(!findings.has_problem());
        serde_json::to_value(&findings).unwrap()["findings"][0].take()
    }

    #[test]
    fn succeeded_attempt_is_warning() {
        let mut attempts = ProvedAttempts::refused(["file: folder of ntro", "keyring: link"]);
        let finding = reported(&attempts);
        assert_eq!(finding["level"], "ok");
        assert_eq!(
            finding["message"],
            "a keyless program reaches no key, in 2 attempts (0 not tried)"
        );
        attempts.succeed("keyring: link");
        let finding = reported(&attempts);
        assert_eq!(finding["level"], "warning");
        assert_eq!(
            finding["message"],
            "a keyless program can reach more than it should: 1 of 2 attempts succeed (0 not tried)"
        );
        assert_eq!(finding["fix"], "seal it; `ntro prove` lists the attempts");
    }
}

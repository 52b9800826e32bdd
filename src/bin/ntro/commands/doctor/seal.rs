//! The seal of keyless programs: what attacks on the keys come to.

use std::time::Duration;

use super::Findings;
use crate::commands::prove::{self, Proof, Trial};
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
    let attempts = match prove::attempts(&trial, cx) {
        Ok(Proof::Made(attempts)) => attempts,
        Ok(Proof::NoBox(_)) => return failed(findings, "no keyless program can be started"),
        Err(error) => return failed(findings, &error.message),
    };
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

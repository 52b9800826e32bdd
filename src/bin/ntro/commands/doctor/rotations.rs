//! Rotations that were begun and not finished.

use ntro::rotation::Rotations;

use super::{Files, Findings};

const CHECK: &str = "rotations";

pub(super) fn check(files: &Files, findings: &mut Findings) {
    let rotations = match Rotations::read(&files.home.rotations()) {
        Ok(rotations) => rotations,
        Err(error) => {
            findings.problem(
                CHECK,
                error.to_string(),
                "correct the file with an editor, or remove it and revoke the keys that are no longer needed",
            );
            return;
        }
    };
    for (name, noted) in rotations.iter() {
        let until = match noted.revoke_after {
            Some(at) => format!(", the old key lives on until {}", at.strftime("%F %T UTC")),
            None => String::new(),
        };
        findings.warning(
            CHECK,
            format!(
                "the rotation of the key of `{name}`, begun at {}, is not finished{until}",
                noted.started_at.strftime("%F %T UTC")
            ),
            format!("ntro auth rotate {name}"),
        );
    }
}

//! What a command was cut off in: keys on their way to another store, and rotations.

use ntro::migration::Journal;
use ntro::rotation::Rotations;

use super::{Files, Findings};

const CHECK: &str = "unfinished";

pub(super) fn check(files: &Files, findings: &mut Findings) {
    migrations(files, findings);
    rotations(files, findings);
    findings.ok_otherwise(CHECK, "no key is half way to anywhere");
}

fn migrations(files: &Files, findings: &mut Findings) {
    match Journal::read(&files.home.migrations()) {
        Ok(journal) => {
            for name in journal.names() {
                let moved = format!("the key of `{name}` was being moved to another store");
                match files.config.connections.contains_key(name) {
                    true => findings.warning(CHECK, moved, format!("ntro auth migrate {name}")),
                    false => findings.warning(
                        CHECK,
                        format!("{moved} when the connection was removed"),
                        format!("ntro auth remove {name}"),
                    ),
                }
            }
        }
        Err(error) => findings.failure(CHECK, error),
    }
}

fn rotations(files: &Files, findings: &mut Findings) {
    let rotations = match Rotations::read(&files.home.rotations()) {
        Ok(rotations) => rotations,
        Err(error) => return findings.failure(CHECK, error),
    };
    for (name, noted) in rotations.iter() {
        let until = match noted.revoke_after {
            Some(at) => format!(", the old key lives on until {}", at.strftime("%F %T UTC")),
            None => String::new(),
        };
        let begun = noted.started_at.strftime("%F %T UTC");
        findings.warning(
            CHECK,
            format!(
                "the rotation of the key of `{name}`, begun at {begun}, is not finished{until}"
            ),
            format!("ntro auth rotate {name}"),
        );
    }
}

//! Unfinished migrations and rotations.

use jiff::Timestamp;
use ntro_client::ops::migrate::Journal;
use ntro_client::ops::rotate::Rotations;

use super::{CheckedFiles, Findings};
use crate::shell::quoted;

const CHECK: &str = "unfinished";

pub(super) fn check(files: &CheckedFiles, now: Timestamp, findings: &mut Findings) {
    migrations(files, findings);
    rotations(files, now, findings);
    findings.ok_otherwise(CHECK, "no unfinished rotation or migration");
}

fn migrations(files: &CheckedFiles, findings: &mut Findings) {
    match Journal::read(&files.home.migrations()) {
        Ok(journal) => {
            for name in journal.names() {
                let moved = format!("the key of `{name}` was being moved to another store");
                let word = quoted(name);
                match files.config.connections.contains_key(name) {
                    true => findings.warning(CHECK, moved, format!("ntro auth migrate {word}")),
                    false => findings.warning(
                        CHECK,
                        format!("{moved} when the connection was removed"),
                        format!("ntro auth remove {word}"),
                    ),
                }
            }
        }
        Err(error) => findings.failure(CHECK, error),
    }
}

fn rotations(files: &CheckedFiles, now: Timestamp, findings: &mut Findings) {
    let rotations = match Rotations::read(&files.home.rotations()) {
        Ok(rotations) => rotations,
        Err(error) => return findings.failure(CHECK, error),
    };
    for (name, recorded) in rotations.iter() {
        let until = match recorded.revoke_after {
            Some(at) => format!(", the old key lives on until {}", at.strftime("%F %T UTC")),
            None => String::new(),
        };
        let begun = recorded.started_at.strftime("%F %T UTC");
        findings.warning(
            CHECK,
            format!(
                "the rotation of the key of `{name}`, begun at {begun}, is not finished{until}"
            ),
            match recorded.revoke_after {
                // Only `--grace 0s` ends it before this time.
                Some(at) if at > now => {
                    format!(
                        "wait for it, or ntro auth rotate {} --grace 0s",
                        quoted(name)
                    )
                }
                _ => format!("ntro auth rotate {}", quoted(name)),
            },
        );
    }
}

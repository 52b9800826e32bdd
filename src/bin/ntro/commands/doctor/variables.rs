//! Environment variables that override stored values.

use ntro_client::resolve::{self, Source};

use super::Findings;
use crate::context::Context;

const CHECK: &str = "variables";

pub(super) fn check(cx: &Context, findings: &mut Findings) {
    let resolution = match cx.resolution() {
        Ok(resolution) => resolution,
        Err(error) => return findings.failure(CHECK, error),
    };
    match resolution.shadows() {
        Ok(shadows) => {
            for shadow in shadows {
                let (variable, over) = (shadow.variable, &shadow.over);
                let fix = format!("unset {variable}");
                match resolution.check(shadow) {
                    Ok(()) => {
                        let what = format!("`{variable}` overrides {over}");
                        findings.warning(CHECK, what, fix);
                    }
                    Err(_) => {
                        let what =
                            format!("`{variable}` overrides {over}, which `NTRO_STRICT` refuses");
                        findings.problem(CHECK, what, fix);
                    }
                }
            }
        }
        // The check of the files reports this.
        Err(resolve::Error::NoConnection { .. }) => {}
        Err(resolve::Error::UnknownConnection {
            source_of_value: Source::Config { .. },
            ..
        }) => {}
        Err(error) => findings.failure(CHECK, error),
    }
    findings.ok_otherwise(CHECK, "no variable overrides what is stored");
}

//! What the environment says of the way to the servers.

use ntro::env::{self, EnvVar};

use super::Findings;
use crate::context::Context;

const CHECK: &str = "network";
const PROXIES: [&EnvVar; 3] = [&env::HTTPS_PROXY, &env::HTTP_PROXY, &env::ALL_PROXY];
const TRUST: [&EnvVar; 2] = [&env::SSL_CERT_FILE, &env::SSL_CERT_DIR];

pub(super) fn check(cx: &Context, findings: &mut Findings) {
    let set = PROXIES.iter().filter(|variable| cx.env().is_set(variable));
    // The value may hold a password.
    let set: Vec<_> = set.map(|variable| format!("`{}`", variable.name)).collect();
    findings.ok(
        CHECK,
        match &*set {
            [] => "no proxy is set".to_owned(),
            set => format!(
                "servers off this machine are called through a proxy, of {}",
                set.join(", ")
            ),
        },
    );
    for variable in TRUST {
        let Some(path) = cx.env().path(variable) else {
            continue;
        };
        match std::fs::metadata(&path) {
            Ok(_) => findings.ok(
                CHECK,
                format!("`{}` replaces the system's certificates", variable.name),
            ),
            Err(error) => findings.problem(
                CHECK,
                format!("`{}` names `{}`: {error}", variable.name, path.display()),
                format!("unset {}", variable.name),
            ),
        }
    }
}

//! Variables that affect connections to the servers.

use ntro_base::env::{self, EnvVar};
use ntro_client::api::BadProxy;

use super::Findings;
use crate::context::Context;
use crate::error;

const CHECK: &str = "network";
const PROXIES: [&EnvVar; 3] = [&env::HTTPS_PROXY, &env::HTTP_PROXY, &env::ALL_PROXY];
const TRUST: [&EnvVar; 2] = [&env::SSL_CERT_FILE, &env::SSL_CERT_DIR];

pub(super) fn check(cx: &Context, findings: &mut Findings) {
    let mut set = Vec::new();
    for variable in PROXIES {
        match BadProxy::find(cx.env(), variable) {
            Some(bad) => findings.problem(CHECK, bad.to_string(), error::proxy_hint(&bad)),
            // The value may contain a password.
            None if cx.env().is_set(variable) => set.push(format!("`{}`", variable.name)),
            None => {}
        }
    }
    match &*set {
        [] => findings.ok_otherwise(CHECK, "no proxy is set"),
        set => findings.ok(
            CHECK,
            format!(
                "servers off this machine are called through a proxy, of {}",
                set.join(", ")
            ),
        ),
    }
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

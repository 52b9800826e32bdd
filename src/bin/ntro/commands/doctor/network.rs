//! Variables that affect connections to the servers.

use ntro_base::env::{self, EnvVar};
use ntro_base::http::{CustomRoots, NoProxy};
use ntro_client::api::BadProxy;

use super::Findings;
use crate::context::Context;
use crate::error;

const CHECK: &str = "network";
const PROXIES: [&EnvVar; 3] = [&env::HTTPS_PROXY, &env::HTTP_PROXY, &env::ALL_PROXY];

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
    for entry in NoProxy::from_env(cx.env()).unknown() {
        findings.warning(
            CHECK,
            format!("`{entry}` in `NO_PROXY` matches no server"),
            "write a domain (`a.example`), an address or a network (`10.0.0.0/8`), with `:PORT` for one port only",
        );
    }
    let roots = CustomRoots::from_env(cx.env());
    let faults: Vec<_> = roots.faults().collect();
    for variable in roots.variables() {
        match faults.iter().find(|bad| bad.variable == variable) {
            None => findings.ok(
                CHECK,
                format!("`{variable}` replaces the system's certificates"),
            ),
            Some(bad) => findings.problem(CHECK, bad.to_string(), format!("unset {variable}")),
        }
    }
}

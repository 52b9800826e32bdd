//! Keys that are bound to another origin than the one their connection calls.

use ntro_base::{ConnectionName, Host};
use ntro_client::state::KeyRecord;

use super::{CheckedFiles, Findings};
use crate::shell::quoted;

const CHECK: &str = "origins";

pub(super) fn check(files: &CheckedFiles, findings: &mut Findings) {
    for name in files.names() {
        let entry = files.config.connections.get(name.as_str());
        let host = entry.and_then(|entry| entry.host.as_deref()?.parse::<Host>().ok());
        if let (Some(host), Some(login)) = (host, files.records.get(name.as_str())) {
            bound(&name, &host, login, findings);
        }
    }
    for name in files.records.names() {
        if !files.config.connections.contains_key(name) {
            findings.warning(
                CHECK,
                format!("a key was stored for `{name}`, which `config.toml` no longer has"),
                format!(
                    "ntro auth remove {0}, or ntro auth login --name {0} to have it again",
                    quoted(name)
                ),
            );
        }
    }
    findings.ok_otherwise(CHECK, "every key is bound to the host of its connection");
}

fn bound(name: &ConnectionName, host: &Host, login: &KeyRecord, findings: &mut Findings) {
    let origin = host.origin();
    if login.origin != origin.as_str() {
        findings.warning(
            CHECK,
            format!(
                "the key of `{name}` is for {}, and the connection calls {origin}",
                login.origin
            ),
            format!(
                "ntro auth login --name {} --host {} --overwrite",
                quoted(name.as_str()),
                quoted(host.as_str())
            ),
        );
    }
}

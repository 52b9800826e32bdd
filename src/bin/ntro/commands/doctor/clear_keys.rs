//! Keys that lie somewhere in the clear.

use ntro::connection::Flags;
use ntro::secrets::StoreKind;

use super::{Files, Findings};

const CHECK: &str = "clear keys";

pub(super) fn check(files: &Files, findings: &mut Findings) {
    for name in files.names() {
        let entry = files.config.connections.get(name.as_str());
        if entry.is_none_or(|entry| entry.api_key.is_none()) {
            continue;
        }
        let flags = Flags::of_connection(name.clone());
        let store = files.of(&flags).store(&name);
        let stale = store.is_ok_and(|store| store.value != StoreKind::Plaintext);
        let message = match stale {
            true => {
                format!("`config.toml` has a key of `{name}` in the clear beside the stored one")
            }
            false => format!("`config.toml` has the key of `{name}` in the clear"),
        };
        findings.warning(CHECK, message, format!("ntro auth migrate {name}"));
    }
    findings.ok_otherwise(CHECK, "no connection has its key in the clear");
}

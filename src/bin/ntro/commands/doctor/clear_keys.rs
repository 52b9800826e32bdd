//! Keys that lie somewhere in the clear.

use ntro::config::OntoraFile;
use ntro::connection::Flags;
use ntro::secrets::StoreKind;

use super::{Files, Findings};
use crate::context::Context;
use crate::error::CliError;

const CHECK: &str = "clear keys";

pub(super) fn check(cx: &Context, files: &Files, findings: &mut Findings) {
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
    ontora(cx, findings);
    findings.ok_otherwise(CHECK, "no connection has its key in the clear");
}

/// The official client of Ontora keeps its key in a file of its own, and in no other way.
fn ontora(cx: &Context, findings: &mut Findings) {
    let Some(path) = OntoraFile::locate(cx.env()) else {
        return;
    };
    match OntoraFile::read(&path) {
        Ok(Some(file)) if file.api_key().is_some_and(|key| !key.is_empty()) => findings.warning(
            CHECK,
            format!("`{}` has a key in the clear", path.display()),
            "ntro auth migrate --ontora",
        ),
        Ok(_) => {}
        Err(error) => {
            let error = CliError::from(error);
            findings.warning(CHECK, error.message, error.hint.unwrap_or_default());
        }
    }
}

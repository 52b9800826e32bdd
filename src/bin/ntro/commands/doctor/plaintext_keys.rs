//! Keys stored in plain text.

use std::cell::OnceCell;

use ntro_client::config::OntoraFile;
use ntro_client::secrets::StoreKind;

use super::{CheckedFiles, Findings};
use crate::context::Context;
use crate::error::CliError;
use crate::shell::quoted;

const CHECK: &str = "clear keys";

pub(super) fn check(cx: &Context, files: &CheckedFiles, findings: &mut Findings) {
    let to = OnceCell::new();
    for name in files.names() {
        let entry = files.config.connections.get(name.as_str());
        if entry.is_none_or(|entry| entry.api_key.is_none()) {
            continue;
        }
        let store = files.inputs().facts(&name).store;
        let stale = store.is_ok_and(|store| store.value != StoreKind::Plaintext);
        let message = match stale {
            true => {
                format!("`config.toml` has a key of `{name}` in plain text beside the stored one")
            }
            false => format!("`config.toml` has the key of `{name}` in plain text"),
        };
        let to = to.get_or_init(|| elsewhere(cx));
        let fix = format!("ntro auth migrate {}{to}", quoted(name.as_str()));
        findings.warning(CHECK, message, fix);
    }
    ontora(cx, &to, findings);
    findings.ok_otherwise(CHECK, "no connection has a plain-text key");
}

/// Returns the option that a migration needs: empty when the keyring works.
fn elsewhere(cx: &Context) -> &'static str {
    let keyring = cx.store(StoreKind::Keyring);
    match keyring.is_ok_and(|keyring| keyring.probe().is_ok()) {
        true => "",
        false => " --to file",
    }
}

/// Checks the key file of the official Ontora client, which has no other store.
fn ontora(cx: &Context, to: &OnceCell<&str>, findings: &mut Findings) {
    let Some(path) = OntoraFile::locate(cx.env()) else {
        return;
    };
    match OntoraFile::read(&path) {
        Ok(Some(file)) if file.api_key().is_some_and(|key| !key.is_empty()) => findings.warning(
            CHECK,
            format!("`{}` has a key in plain text", path.display()),
            format!(
                "ntro auth migrate --ontora{}",
                to.get_or_init(|| elsewhere(cx))
            ),
        ),
        Ok(_) => {}
        Err(error) => {
            let error = CliError::from(error);
            findings.warning(CHECK, error.message, error.hint.unwrap_or_default());
        }
    }
}

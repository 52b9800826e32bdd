//! Values that a login without a terminal lacks.

use ntro_base::env;
use ntro_client::secrets::StoreKind;

use super::LoginArgs;
use super::prompts::DEFAULT_NAME;
use crate::context::Context;
use crate::error::CliError;

/// Reports everything that is missing in one error. A single missing value is reported where it is
/// used.
pub(super) fn check(args: &LoginArgs, cx: &Context) -> Result<(), CliError> {
    let mut missing = Vec::new();
    let mut options = Vec::new();
    let given = args.api_key.is_some() || args.api_key_stdin;
    if !given && !cx.env().is_set(&env::NTRO_API_KEY) {
        missing.push("an API key");
        options.push("`--api-key-stdin` (or the variable `NTRO_API_KEY`)");
    }
    let name = args.name.as_ref().or(cx.global().connection.as_ref());
    let name = name.map_or(DEFAULT_NAME, |name| name.as_str());
    let entry = cx.config()?.connections.get(name);
    let host = entry.is_some_and(|entry| entry.host.is_some())
        || cx.global().host.is_some()
        || cx.env().is_set(&env::NTRO_HOST)
        || [DEFAULT_NAME, "production"].contains(&name);
    if !host {
        missing.push("a host");
        options.push("`--host URL`");
    }
    let store = args.store.is_some() || entry.is_some_and(|entry| entry.store.is_some());
    if !missing.is_empty() && !store && cx.store(StoreKind::Keyring)?.probe().is_err() {
        missing.push("a store, as the keyring cannot be used");
        options.push("`--store file` or `--store plaintext`");
    }
    match missing.len() {
        0 | 1 => Ok(()),
        _ => Err(
            CliError::usage(format!("a login needs {}", missing.join(", and ")))
                .hint(format!("give {}", options.join(", "))),
        ),
    }
}

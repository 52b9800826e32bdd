//! Whether the files can be read, and say what they can say.

use std::fmt::Display;

use ntro_base::{ConnectionName, Host, Provider};
use ntro_client::config::{self, Config, Pin};
use ntro_client::secrets::StoreKind;
use ntro_client::state::KeyRecords;

use super::{CheckedFiles, Findings};
use crate::context::Context;
use crate::error::CliError;
use crate::shell::quoted;

const CHECK: &str = "files";

/// Returns what the files say, or nothing where they cannot be read.
pub(super) fn check(
    cx: &Context,
    findings: &mut Findings,
) -> Result<Option<CheckedFiles>, CliError> {
    let home = cx.home()?;
    let mut unreadable = |error: config::Error| {
        findings.failure(CHECK, error);
    };
    let config = Config::read(&home.config()).map_err(&mut unreadable);
    let records = KeyRecords::read(&home.logins()).map_err(&mut unreadable);
    let mut closed = None;
    if let Ok(folder) = std::env::current_dir() {
        match Pin::find(&folder) {
            Ok(search) => closed = search.closed,
            Err(error) => unreadable(error),
        }
    }
    let (Ok(config), Ok(records)) = (config, records) else {
        return Ok(None);
    };
    if let Some(folder) = closed {
        findings.warning(
            CHECK,
            format!(
                "`{}` cannot be searched for `.ntro.toml`: permission denied",
                folder.display()
            ),
            "run the command in another folder",
        );
    }
    for key in config::unknown_keys(&home.config()).unwrap_or_default() {
        findings.warning(
            CHECK,
            format!("`{key}` in `config.toml` is an unknown key"),
            "correct or remove it",
        );
    }
    let files = CheckedFiles {
        home: home.clone(),
        config,
        records,
    };
    connections(&files, findings);
    default(&files, findings);
    let message = match files.config.connections.len() {
        0 => "there is no connection yet: run `ntro auth login`".to_owned(),
        1 => "`config.toml` is in order and has 1 connection".to_owned(),
        count => format!("`config.toml` is in order and has {count} connections"),
    };
    findings.ok_otherwise(CHECK, message);
    Ok(Some(files))
}

fn connections(files: &CheckedFiles, findings: &mut Findings) {
    for (name, entry) in &files.config.connections {
        if let Err(error) = name.parse::<ConnectionName>() {
            findings.problem(
                CHECK,
                format!("the connection `{}`: {error}", name.escape_debug()),
                "rename it in `config.toml`",
            );
            continue;
        }
        match entry.host.as_deref().map(str::parse::<Host>) {
            None => findings.problem(
                CHECK,
                format!("the connection `{name}` has no host"),
                format!("ntro auth login --name {} --host URL", quoted(name)),
            ),
            Some(Err(error)) => findings.problem(
                CHECK,
                format!("the connection `{name}`: {error}"),
                "correct its `host` in `config.toml`",
            ),
            Some(Ok(_)) => {}
        }
        known(
            name,
            "provider",
            entry.provider.as_deref(),
            str::parse::<Provider>,
            findings,
        );
        known(
            name,
            "store",
            entry.store.as_deref(),
            str::parse::<StoreKind>,
            findings,
        );
    }
}

/// Checks a value that only `ntro` writes.
fn known<T, E: Display>(
    connection: &str,
    key: &str,
    value: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, E>,
    findings: &mut Findings,
) {
    if let Some(Err(error)) = value.map(parse) {
        findings.problem(
            CHECK,
            format!("the connection `{connection}`: {error}"),
            format!("correct its `{key}` in `config.toml`"),
        );
    }
}

fn default(files: &CheckedFiles, findings: &mut Findings) {
    let Some(name) = &files.config.default_connection_name else {
        return;
    };
    if !files.config.connections.contains_key(name) {
        findings.problem(
            CHECK,
            format!("`default_connection_name` is `{name}`, and there is no such connection"),
            "ntro auth use NAME",
        );
    }
}

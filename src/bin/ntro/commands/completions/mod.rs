//! Completion of commands, and of the names that only this machine knows.

mod shells;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::CompleteEnv;
use ntro_base::env::Env;
use ntro_base::printable;
use ntro_client::config::{Config, NtroDir};

use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};

/// Environment variable that the script sets to request candidates.
const VARIABLE: &str = "COMPLETE";

/// Print a shell completion script for commands, connections and tenants
///
/// The head of the script says how to load it in every new shell.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Shell that runs the script
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

pub(crate) fn run(args: Args, cx: &Context) -> Result<Exit, CliError> {
    let unknown = || CliError::usage(format!("unknown shell `{}`", args.shell));
    let shell = shells::SHELLS.completer(&args.shell).ok_or_else(unknown)?;
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "ntro", "ntro", "ntro", &mut script)
        .map_err(|error| CliError::new(Kind::Failure, error.to_string()))?;
    cx.printer().raw(&script)?;
    Ok(Exit::Success)
}

/// Answers a request from the script, if this is one. Reads only the configuration: no store and no
/// network.
pub(crate) fn answered() -> bool {
    CompleteEnv::with_factory(tree::tree)
        .var(VARIABLE)
        .shells(shells::SHELLS)
        .try_complete(std::env::args_os(), None)
        .unwrap_or(false)
}

/// Returns the names of the connections.
pub(crate) fn connections(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(config) = config() else {
        return Vec::new();
    };
    let names = config.connections.iter();
    let names = names.map(|(name, entry)| (name.as_str(), entry.host.as_deref()));
    candidates(typed, names, str::to_owned)
}

/// Returns the default tenants of all connections.
pub(crate) fn tenants(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(config) = config() else {
        return Vec::new();
    };
    let tenants = config.connections.iter().filter_map(|(name, entry)| {
        let tenant = entry.default_tenant.as_deref()?;
        Some((tenant, Some(name.as_str())))
    });
    candidates(typed, tenants, |name| format!("of {name}"))
}

/// Returns the programs that a word names: in the folders of `PATH`, or by a path.
fn programs(typed: &OsStr) -> Vec<CompletionCandidate> {
    let word = typed.to_string_lossy();
    if word.contains(['/', '\\']) {
        return files(typed);
    }
    let mut names = BTreeSet::new();
    for folder in Env::from_process().program_folders() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if let Some(name) = name.to_str()
                && name.starts_with(&*word)
                && is_plain(name)
                && is_program(&entry.path())
            {
                names.insert(name.to_owned());
            }
        }
    }
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// Returns the files that a word names by a path.
pub(crate) fn files(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = PathCompleter::any().complete(typed);
    found.retain(|candidate| {
        let path = candidate.get_value().to_str();
        path.is_some_and(|path| is_plain(&path.replace(std::path::is_separator, "")))
    });
    found
}

#[cfg(unix)]
fn is_program(path: &std::path::Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file()
}

#[cfg(not(unix))]
fn is_program(path: &std::path::Path) -> bool {
    path.is_file()
}

/// Reads the configuration; an unreadable file offers nothing, since an error message would end up in
/// the command line. The process ends after the completion, so nothing is freed.
fn config() -> Option<&'static Config> {
    let home = NtroDir::locate(&Env::from_process()).ok()?;
    let config = Config::read(&home.config()).ok()?;
    Some(Box::leak(Box::new(config)))
}

/// Offers the names that begin with the typed text, each described by what stands beside it.
fn candidates<'a>(
    typed: &OsStr,
    names: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    describe: impl Fn(&str) -> String,
) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let names: BTreeMap<_, _> = names
        .filter(|(name, _)| name.starts_with(&*typed) && is_plain(name))
        .collect();
    names
        .into_iter()
        .map(|(name, help)| {
            // The scripts take lines apart, and show what they find to a terminal.
            let help = help.map(|help| printable(&describe(help), 100));
            CompletionCandidate::new(name).help(help.map(Into::into))
        })
        .collect()
}

/// Returns whether no shell interprets any character of a name.
///
/// The scripts insert candidates unquoted, and the name of a tenant comes from its server:
/// `acme;reboot` would run a command.
fn is_plain(name: &str) -> bool {
    // zsh expands `=name` at the beginning of a word.
    !name.starts_with('=')
        && name.chars().all(|c| {
            c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '@' | '+' | ',' | '=')
        })
}

//! `ntro auth migrate`: moves keys between stores, and imports the key of Ontora's client.

use std::collections::BTreeSet;

use clap::builder::PossibleValuesParser;
use clap_complete::engine::ArgValueCompleter;
use ntro_base::{ConnectionName, Policy};
use ntro_client::config::{Config, OntoraFile};
use ntro_client::ops::migrate::{self, Change, Forgotten, Journal, KeyLocation, Migrator, Outcome};
use ntro_client::resolve;
use ntro_client::secrets::StoreKind;
use serde::Serialize;

use crate::commands::completions::connections;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Column, Paint, Report, Table, progress};
use crate::shell::quoted;

/// Move keys between secret stores, including out of plain text
///
/// Each key is written to the new store and read back before it is erased from the old one. No key
/// is lost if the command is killed, and the next run finishes. A connection with different keys in
/// two locations is left unchanged (exit code 9). A key with the policy `keyless` is never moved to
/// plain text (exit code 5), one with the policy `confirm` only after confirmation.
#[derive(clap::Args, Debug)]
pub(crate) struct MigrateArgs {
    /// Connection whose key to move [default: the one named by `-c`, or the default connection]
    #[arg(value_name = "NAME", conflicts_with_all = ["all", "ontora"], add = ArgValueCompleter::new(connections))]
    connection_name: Option<ConnectionName>,
    /// Store to move keys to
    #[arg(
        long,
        alias = "store",
        value_name = "STORE",
        default_value = "keyring",
        value_parser = PossibleValuesParser::new(StoreKind::ALL.map(StoreKind::as_str))
    )]
    to: String,
    /// Move the keys of all connections
    #[arg(long)]
    all: bool,
    /// Show what would be moved without changing anything; reads keys, so stores may be unlocked
    #[arg(long)]
    dry_run: bool,
    /// Import the key in `~/.ontora/config.yaml`; the official `ontora` command then needs the
    /// variable `ONTORA_API_KEY`
    #[arg(long)]
    ontora: bool,
    /// Connection to import the key of `ontora` into [default: ontora]
    #[arg(short, long, value_name = "NAME", requires = "ontora")]
    name: Option<ConnectionName>,
    /// Keep the key in `~/.ontora/config.yaml`
    #[arg(long, requires = "ontora")]
    keep: bool,
}

const COLUMNS: [Column; 6] = [
    Column::always("CONNECTION"),
    Column::ranked("FROM", 2),
    Column::ranked("TO", 1),
    Column::always("RESULT"),
    Column::ranked("KEY", 3),
    Column::prose(""),
];

/// One object for each connection.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Moves(Vec<MoveRow>);

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MoveRow {
    /// Name of the connection.
    connection: String,
    /// Locations that held the key: a store, or `ontora`.
    from: Vec<&'static str>,
    /// Store that the key was to move to.
    #[cfg_attr(test, schemars(with = "crate::schema::StoreName"))]
    to: String,
    /// Result of the move: `copied` with `--keep`, `would_move` with `--dry-run`.
    result: MoveResult,
    /// Prefix of the key.
    key_prefix: Option<String>,
    /// Error code, if the move failed or left a copy.
    #[cfg_attr(test, schemars(with = "Option<crate::schema::ErrorCode>"))]
    code: Option<&'static str>,
    /// Why the key was not moved, or what it left behind.
    message: Option<String>,
    #[serde(skip)]
    places: Vec<KeyLocation>,
    #[serde(skip)]
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum MoveResult {
    Moved,
    Copied,
    WouldMove,
    AlreadyThere,
    NoKey,
    CopyLeft,
    Conflict,
    Failed,
}

impl MoveResult {
    fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Copied => "copied",
            Self::WouldMove => "would move",
            Self::AlreadyThere => "already there",
            Self::NoKey => "no key",
            Self::CopyLeft => "copy left",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
        }
    }
}

pub(crate) fn run(args: MigrateArgs, cx: &Context) -> Result<Exit, CliError> {
    let to = args
        .to
        .parse()
        .map_err(|error| CliError::usage(format!("{error}")))?;
    let subjects = subjects(&args, cx)?;
    let single = subjects.len() == 1 && !args.all;
    let bar = progress::bar(cx.printer(), "moving", subjects.len());
    let mut rows = Vec::new();
    let mut hints = BTreeSet::new();
    for (name, is_import) in &subjects {
        let work = |migrator: &Migrator<'_>| match is_import {
            true => migrator.import(name, args.keep),
            false => migrator.connection(name),
        };
        let mut moved = with_migrator(cx, to, args.dry_run, work)?;
        if needs_confirmation(cx, &moved) {
            let confirmed = match bar.suspend(|| confirm(cx, name)) {
                // Keys that were moved before are reported.
                Err(error) if error.kind == Kind::Interrupted && !rows.is_empty() => {
                    rows.push(MoveRow::failed(name, to, error, false));
                    break;
                }
                confirmed => confirmed?,
            };
            moved = match confirmed {
                true => with_migrator(cx, to, false, |migrator| {
                    work(&Migrator {
                        confirmed: true,
                        ..*migrator
                    })
                })?,
                false => Err(resolve::Error::NotConfirmed {
                    connection: name.clone(),
                }
                .into()),
            };
        }
        bar.inc(1);
        match moved {
            Ok(outcome) => rows.push(MoveRow::new(name, to, &args, outcome)),
            Err(error) => {
                let conflict = matches!(error, migrate::Error::Conflict { .. });
                cx.set_subject(name);
                let error = CliError::from(error);
                if single {
                    bar.finish_and_clear();
                    return Err(error);
                }
                let hint = error.hint.as_deref().map(|hint| cx.acting(hint));
                hints.extend(hint.map(|hint| format!("`{name}`: {hint}")));
                rows.push(MoveRow::failed(name, to, error, conflict));
            }
        }
    }
    bar.finish_and_clear();
    let failed = rows.iter().find_map(|row| row.kind);
    let without_key = single && rows.iter().all(|row| row.result == MoveResult::NoKey);
    let moves = Moves(rows);
    cx.printer().confirm(&moves)?;
    for hint in hints {
        cx.printer().note(&hint);
    }
    if to == StoreKind::Keyutils && !without_key {
        // No copy is left that survives a reboot.
        cx.printer().warn(&format!("`{to}` is {}", to.summary()));
    }
    if !args.dry_run {
        moves.report_clients_without_key(&args, cx);
        moves.report_plain_keys(to, cx);
    }
    if args.all && !args.ontora {
        report_ontora_key(cx);
    }
    Ok(match failed {
        Some(kind) => Exit::Failure(kind),
        None if without_key => Exit::Failure(Kind::NotAuthenticated),
        None => Exit::Success,
    })
}

/// Returns whether the policy needs a confirmation that can be asked for.
fn needs_confirmation(cx: &Context, moved: &Result<Outcome, migrate::Error>) -> bool {
    let asks = matches!(
        moved,
        Err(migrate::Error::Guarded {
            policy: Policy::Confirm,
            ..
        })
    );
    asks && cx.prompter().is_interactive()
}

fn confirm(cx: &Context, name: &ConnectionName) -> Result<bool, CliError> {
    let question = format!("Put the API key of `{name}` into `config.toml` in plain text?");
    Ok(cx.prompter().confirm(&question)?)
}

/// Finishes a killed migration of a connection, before its key is looked up in one location.
pub(super) fn finish(cx: &Context, name: &ConnectionName) -> Result<(), CliError> {
    let config = Config::read(&cx.home()?.config())?;
    if !config.connections.contains_key(name.as_str()) {
        return Ok(());
    }
    // The journal names the store; this one is ignored.
    let finished = with_migrator(cx, StoreKind::Keyring, false, |migrator| {
        migrator.finish(name)
    })?;
    match finished?.and_then(|outcome| outcome.left_behind) {
        Some((_, error)) => Err(error.into()),
        None => Ok(()),
    }
}

/// Erases the keys that a killed migration left of a removed connection, and returns their
/// locations; `None` if the journal has no entry.
pub(super) fn forget(
    cx: &Context,
    name: &ConnectionName,
) -> Result<Option<Vec<KeyLocation>>, CliError> {
    let forgotten = with_migrator(cx, StoreKind::Keyring, false, |migrator| {
        migrator.forget(name)
    })?;
    match forgotten? {
        Some(Forgotten {
            left_behind: Some((_, error)),
            ..
        }) => Err(error.into()),
        outcome => Ok(outcome.map(|outcome| outcome.from)),
    }
}

fn with_migrator<T>(
    cx: &Context,
    to: StoreKind,
    dry_run: bool,
    work: impl FnOnce(&Migrator<'_>) -> T,
) -> Result<T, CliError> {
    let ontora = OntoraFile::locate(cx.env());
    Ok(work(&Migrator {
        home: cx.home()?,
        stores: cx.stores()?,
        ontora: ontora.as_deref(),
        to,
        // A dry run shows the result of a confirmation.
        confirmed: dry_run,
        dry_run,
        now: cx.now(),
    }))
}

/// Returns the selected connections, each with whether it imports the key of Ontora's client.
fn subjects(args: &MigrateArgs, cx: &Context) -> Result<Vec<(ConnectionName, bool)>, CliError> {
    let mut subjects = Vec::new();
    let journal = Journal::read(&cx.home()?.migrations())?;
    let nothing = args.all && journal.names().next().is_none() && !has_ontora_key(cx)?;
    if args.ontora && !nothing {
        let chosen = cx.global().connection.as_ref().filter(|_| !args.all);
        let name = args.name.as_ref().or(chosen);
        let name = match name {
            Some(name) => name.clone(),
            None => "ontora"
                .parse()
                .map_err(|error| CliError::usage(format!("{error}")))?,
        };
        subjects.push((name, true));
    }
    if args.all {
        let names = cx.config()?.names().chain(journal.names());
        let names: BTreeSet<_> = names.filter_map(|name| name.parse().ok()).collect();
        let imported = subjects.first().map(|(name, _)| name.clone());
        let others = names
            .into_iter()
            .filter(|name| Some(name) != imported.as_ref());
        subjects.extend(others.map(|name| (name, false)));
    } else if !args.ontora {
        let name = match &args.connection_name {
            Some(name) => name.clone(),
            None => cx.connection_name()?,
        };
        subjects.push((name, false));
    }
    Ok(subjects)
}

fn has_ontora_key(cx: &Context) -> Result<bool, CliError> {
    let file = match OntoraFile::locate(cx.env()) {
        Some(path) => OntoraFile::read(&path)?,
        None => None,
    };
    Ok(file.is_some_and(|file| file.api_key().is_some()))
}

/// Reports a key of Ontora's client, which `--all` does not move.
fn report_ontora_key(cx: &Context) {
    if has_ontora_key(cx).unwrap_or(false) {
        cx.printer().note(
            "`~/.ontora/config.yaml` also has a key in plain text: `ntro auth migrate --ontora` imports it",
        );
    }
}

impl MoveRow {
    fn new(name: &ConnectionName, to: StoreKind, args: &MigrateArgs, outcome: Outcome) -> Self {
        let Outcome {
            change,
            from,
            key_prefix,
            left_behind,
            earlier,
        } = outcome;
        let result = match (change, &left_behind) {
            (Change::Moved, Some(_)) => MoveResult::CopyLeft,
            (Change::Moved, None) if args.dry_run => MoveResult::WouldMove,
            (Change::Moved, None) if args.keep && from.contains(&KeyLocation::Ontora) => {
                MoveResult::Copied
            }
            (Change::Moved, None) => MoveResult::Moved,
            (Change::AlreadyThere, _) => MoveResult::AlreadyThere,
            (Change::NoKey, _) => MoveResult::NoKey,
        };
        let left = left_behind.map(|(place, error)| {
            let error = CliError::from(error);
            let message = format!("a copy is left in {place}; the next run erases it");
            (error.kind, format!("{message}: {}", error.message))
        });
        let earlier = earlier.filter(|_| change == Change::Moved);
        let earlier = earlier.map(|(store, origin)| {
            format!("an earlier key, for {origin}, stays in the {store} store")
        });
        Self {
            connection: name.to_string(),
            from: from.iter().map(|place| place.as_str()).collect(),
            to: to.to_string(),
            result,
            key_prefix: key_prefix.map(|prefix| prefix.to_string()),
            code: left.as_ref().map(|(kind, _)| kind.as_str()),
            kind: left.as_ref().map(|(kind, _)| *kind),
            message: left.map(|(_, message)| message).or(earlier),
            places: from,
        }
    }

    fn failed(name: &ConnectionName, to: StoreKind, error: CliError, conflict: bool) -> Self {
        Self {
            connection: name.to_string(),
            from: Vec::new(),
            to: to.to_string(),
            result: match conflict {
                true => MoveResult::Conflict,
                false => MoveResult::Failed,
            },
            key_prefix: None,
            code: Some(error.kind.as_str()),
            kind: Some(error.kind),
            message: Some(error.message),
            places: Vec::new(),
        }
    }

    fn is_moved_from(&self, place: KeyLocation) -> bool {
        matches!(self.result, MoveResult::Moved | MoveResult::CopyLeft)
            && self.places.contains(&place)
    }
}

impl Moves {
    /// Warns about keys that are in plain text now.
    fn report_plain_keys(&self, to: StoreKind, cx: &Context) {
        let is_moved = |row: &MoveRow| !row.places.is_empty() && row.result != MoveResult::Failed;
        if to == StoreKind::Plaintext && self.0.iter().any(is_moved) {
            cx.printer()
                .warn("every program of yours can read a key in `config.toml`");
        }
    }

    /// Reports official clients that no longer find their key, and how to pass it.
    fn report_clients_without_key(&self, args: &MigrateArgs, cx: &Context) {
        let printer = cx.printer();
        for row in &self.0 {
            if row.is_moved_from(KeyLocation::Ontora) && !args.keep {
                printer.note(&format!(
                    "The official `ontora` command has no key now. Set the variable `ONTORA_API_KEY` for it: ONTORA_API_KEY=\"$(ntro auth token -c {})\"",
                    quoted(&row.connection)
                ));
            }
        }
        let plain = KeyLocation::Store(StoreKind::Plaintext);
        let moved = self.0.iter().filter(|row| row.is_moved_from(plain));
        let commands = moved.map(|row| {
            let name = quoted(&row.connection);
            format!("NTRO_API_KEY=\"$(ntro auth token -c {name})\"")
        });
        let commands: Vec<_> = commands.collect();
        if !commands.is_empty() {
            printer.note("The official Ntropii clients no longer find these keys in `config.toml`. Set the variable `NTRO_API_KEY` for them:");
        }
        for command in commands {
            printer.note(&command);
        }
    }
}

impl Report for Moves {
    fn text(&self, paint: Paint) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut table = Table::new(paint, &COLUMNS);
        for row in &self.0 {
            let from: Vec<_> = row.places.iter().map(ToString::to_string).collect();
            table.row([
                row.connection.clone(),
                match from.as_slice() {
                    [] => "-".to_owned(),
                    from => from.join(", "),
                },
                row.to.clone(),
                row.result.as_str().to_owned(),
                match &row.key_prefix {
                    Some(prefix) => format!("{prefix}…"),
                    None => "-".to_owned(),
                },
                row.message.clone().unwrap_or_default(),
            ]);
        }
        table.text()
    }
}

//! Rotates the key of every connection in turn, continuing after failures.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ntro_base::ConnectionName;
use ntro_client::ops::rotate::Next;
use ntro_client::secrets;

use super::one::RotateOne;
use super::report::{RotationRow, RotationState, Rotations};
use super::{RotateArgs, wait};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{progress, whole_seconds};

pub(super) fn run(args: &RotateArgs, cx: &Context) -> Result<Exit, CliError> {
    let names = logged_in(cx)?;
    if !args.dry_run && !args.sure.yes && !names.is_empty() {
        confirm(args, cx, &names)?;
    }
    open_stores(cx, &names)?;
    let bar = progress::bar(cx.printer(), "rotating", names.len());
    let mut rows = Vec::new();
    for name in &names {
        let row = rotate(args, cx, name);
        bar.inc(1);
        rows.push(row.unwrap_or_else(|error| RotationRow::failed(name, error)));
    }
    bar.finish_and_clear();
    if !args.no_wait && args.grace.is_some() {
        finish(args, cx, &names, &mut rows)?;
    }
    for (row, name) in rows.iter_mut().zip(&names) {
        row.production = is_production(cx, name)?;
    }
    let failed = rows.iter().find_map(|row| row.kind);
    let rotations = Rotations(rows);
    cx.printer().confirm(&rotations)?;
    cx.printer().note(&rotations.summary());
    Ok(failed.map_or(Exit::Success, Exit::Failure))
}

/// Asks once for all connections.
fn confirm(args: &RotateArgs, cx: &Context, names: &[ConnectionName]) -> Result<(), CliError> {
    let mut production = Vec::new();
    for name in names {
        if is_production(cx, name)? {
            production.push(name);
        }
    }
    let keys = match names {
        [name] => format!("the key of `{name}`"),
        names => format!("the keys of {} connections", names.len()),
    };
    // The servers, which know the age of the keys, are asked later.
    let age = args.older_than.map(|age| format!(", if older than {age},"));
    let age = age.unwrap_or_default();
    let production = match production.as_slice() {
        [] => String::new(),
        [name] => format!(" (`{name}` is production)"),
        names => format!(" ({} of them are production)", names.len()),
    };
    let what = format!("{keys}{production}{age}");
    if !cx.prompter().is_interactive() {
        let message = format!("there is no terminal to confirm: replace {what} and revoke the old");
        return Err(CliError::usage(message)
            .hint("give `--yes` to confirm; `--dry-run` shows what would be rotated"));
    }
    let question = format!("Replace {what} and revoke the old?");
    match cx.prompter().confirm(&question)? {
        true => Ok(()),
        false => Err(CliError::new(Kind::Conflict, "no key was rotated")),
    }
}

fn is_production(cx: &Context, name: &ConnectionName) -> Result<bool, CliError> {
    let resolution = cx.inputs()?.alone(name);
    Ok(resolution.production().is_ok_and(|found| found.is_some()))
}

/// Unlocks every store in use before progress is drawn, since a store may ask for its passphrase.
/// Errors are reported with the connections of the store.
fn open_stores(cx: &Context, names: &[ConnectionName]) -> Result<(), CliError> {
    let inputs = cx.inputs()?;
    let kinds = names
        .iter()
        .filter_map(|name| inputs.facts(name).store.ok());
    let kinds: BTreeSet<_> = kinds.map(|kind| kind.value).collect();
    for kind in kinds {
        match cx.store(kind)?.probe() {
            Err(error @ (secrets::Error::Cancelled | secrets::Error::SteppedBack)) => {
                return Err(error.into());
            }
            Err(error) => tracing::debug!(%error, "the store does not open"),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Returns the connections with a recorded or plain-text key.
fn logged_in(cx: &Context) -> Result<Vec<ConnectionName>, CliError> {
    let (config, records) = (cx.config()?, cx.logins()?);
    let names = config
        .connections
        .iter()
        .filter(|(name, entry)| entry.api_key.is_some() || records.get(name).is_some());
    Ok(names.filter_map(|(name, _)| name.parse().ok()).collect())
}

fn rotate(args: &RotateArgs, cx: &Context, name: &ConnectionName) -> Result<RotationRow, CliError> {
    let one = RotateOne::new(args, cx, name);
    let Some(limit) = args.older_than else {
        return one.rotate();
    };
    // Finishes an unfinished rotation whatever the age of the key.
    let skipped = one.with(|rotation| {
        if rotation.next() != Next::Begin {
            return Ok(None);
        }
        let told = rotation.inspect()?.created_at;
        let stored_at = cx.logins()?.get(name.as_str()).map(|login| login.stored_at);
        let made = told.or(stored_at);
        Ok(made.filter(|made| is_young(*made, limit.duration(), cx.now())))
    })?;
    match skipped {
        Some(made) => Ok(RotationRow {
            created_at: Some(whole_seconds(made)),
            message: Some(format!(
                "its key is of {}, not older than {limit}",
                made.strftime("%F")
            )),
            ..RotationRow::new(name, RotationState::Skipped)
        }),
        None => one.rotate(),
    }
}

/// Returns whether the key is younger than `limit`. Keys of unknown age count as old.
fn is_young(made: Timestamp, limit: Duration, now: Timestamp) -> bool {
    SignedDuration::try_from(limit).is_ok_and(|limit| now.duration_since(made) < limit)
}

/// Waits for the end of each grace period, in order, and revokes the old keys.
fn finish(
    args: &RotateArgs,
    cx: &Context,
    names: &[ConnectionName],
    rows: &mut [RotationRow],
) -> Result<(), CliError> {
    loop {
        let waiting = rows.iter().enumerate();
        let next = waiting
            .filter(|(_, row)| row.state == RotationState::InGrace)
            .filter_map(|(index, row)| Some((row.revoke_after?, index)))
            .min();
        let Some((due, index)) = next else {
            return Ok(());
        };
        let left = rows
            .iter()
            .filter(|row| row.state == RotationState::InGrace);
        if due > cx.now() {
            cx.printer().note(&format!(
                "{} old keys are still live, the next one until {}; Ctrl-C leaves them to the next `ntro auth rotate --all`",
                left.count(),
                due.strftime("%F %T UTC")
            ));
            match wait::until(cx, due) {
                Err(error) if error.kind == Kind::Interrupted => {
                    cx.printer().warn(
                        "interrupted: the new keys are stored, some old ones are not revoked yet",
                    );
                    for row in rows
                        .iter_mut()
                        .filter(|row| row.state == RotationState::InGrace)
                    {
                        row.kind = Some(Kind::Interrupted);
                    }
                    return Ok(());
                }
                waited => waited?,
            }
        }
        let name = &names[index];
        let later = RotateArgs {
            name: None,
            grace: None,
            when_quiet: None,
            older_than: None,
            ..*args
        };
        let mut row = RotateOne::new(&later, cx, name)
            .rotate()
            .unwrap_or_else(|error| RotationRow::failed(name, error));
        if row.state == RotationState::Finished {
            row.state = RotationState::Rotated;
        }
        rows[index] = row;
    }
}

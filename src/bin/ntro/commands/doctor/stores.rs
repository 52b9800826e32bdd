//! The stores in use: available, unlocked, fast, and holding the expected keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ntro_client::secrets::{self, Item, StoreKind};

use super::{CheckedFiles, Findings};
use crate::commands::expiry;
use crate::context::Context;
use crate::error::CliError;
use crate::shell::quoted;
use crate::suggest::acting_on;

pub(super) const CHECK: &str = "stores";

/// The items expected in a store, and whether each is recorded there.
type Items = BTreeMap<Item, bool>;

/// A slower store is reported.
const SLOW: Duration = Duration::from_secs(1);

pub(super) fn check(
    cx: &Context,
    files: &CheckedFiles,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let mut expected: BTreeMap<StoreKind, Items> = BTreeMap::new();
    for name in files.names() {
        // The check of the files reports entries that cannot be read.
        if let Ok(stored) = files.inputs().facts(&name).stored().cloned() {
            let items = expected.entry(stored.kind).or_default();
            items.insert(stored.item, stored.prefix.is_some());
        }
    }
    if expected.is_empty() {
        return default_store(cx, findings);
    }
    for (kind, items) in expected {
        one(cx, files, kind, &items, findings)?;
    }
    Ok(())
}

/// No connection uses the keyring yet, so its absence is not a problem.
fn default_store(cx: &Context, findings: &mut Findings) -> Result<(), CliError> {
    match cx.store(StoreKind::Keyring)?.probe() {
        Ok(()) => findings.ok(CHECK, "the `keyring` store answers"),
        Err(error) => {
            let error = CliError::from(error);
            findings.warning(CHECK, error.message, error.hint.unwrap_or_default());
        }
    }
    Ok(())
}

fn one(
    cx: &Context,
    files: &CheckedFiles,
    kind: StoreKind,
    expected: &Items,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let store = cx.store(kind)?;
    let asked = Instant::now();
    // A command for one of several connections stands for those for the others.
    let first = expected.keys().next().map(|item| item.connection.as_str());
    let failure = |error: secrets::Error, findings: &mut Findings| {
        let error = CliError::from(error);
        let hint = error.hint.as_deref().zip(first);
        let hint = hint.map(|(hint, name)| acting_on(hint, name, false));
        findings.failure(CHECK, CliError { hint, ..error });
    };
    if let Err(error) = store.probe() {
        failure(error, findings);
        return Ok(());
    }
    let took = asked.elapsed();
    if took > SLOW {
        findings.warning(
            CHECK,
            format!(
                "the `{kind}` store took {:.1} s to answer",
                took.as_secs_f32()
            ),
            "see what keeps it busy; `NTRO_KEYRING_TIMEOUT` bounds the wait",
        );
    }
    match store.list() {
        Ok(listed) => {
            let listed: BTreeSet<_> = listed.into_iter().collect();
            let stored = expected.iter().filter(|(_, stored)| **stored);
            let stored = stored.map(|(item, _)| item);
            missing(kind, stored.filter(|item| !listed.contains(item)), findings);
            let unused = listed.iter().filter(|item| !expected.contains_key(item));
            no_longer_used(files, kind, unused, findings);
            findings.ok(
                CHECK,
                format!("the `{kind}` store answers, in {} ms", took.as_millis()),
            );
            let settings = cx.stores()?.settings();
            let until = settings.passphrase.kept_until();
            if let Some(until) = until.filter(|_| kind == StoreKind::File) {
                findings.ok(CHECK, expiry::unlocked(until));
            }
            if let Some(identity) = secrets::identity_beside_keys(settings, kind) {
                findings.ok(
                    CHECK,
                    format!(
                        "`{}` beside the key file opens it: a copy of the folder has both",
                        identity.display()
                    ),
                );
            }
        }
        Err(secrets::Error::Locked { .. }) => {
            findings.ok(CHECK, format!("the `{kind}` store answers, but is locked"));
        }
        // The probe succeeded: only the optional list command is not configured.
        Err(secrets::Error::NotConfigured { .. }) => {
            findings.ok(
                CHECK,
                format!("the `{kind}` store answers, but is not set up to list its keys"),
            );
        }
        Err(error) => failure(error, findings),
    }
    Ok(())
}

fn missing<'a>(kind: StoreKind, items: impl Iterator<Item = &'a Item>, findings: &mut Findings) {
    for item in items {
        findings.problem(
            CHECK,
            format!(
                "the `{kind}` store has no key for `{}` at {}",
                item.connection, item.origin
            ),
            format!(
                "ntro auth login --name {}",
                quoted(item.connection.as_str())
            ),
        );
    }
}

/// Reports keys that no connection uses. Does not erase them unasked: a host may have been edited.
fn no_longer_used<'a>(
    files: &CheckedFiles,
    kind: StoreKind,
    items: impl Iterator<Item = &'a Item>,
    findings: &mut Findings,
) {
    for item in items {
        let name = item.connection.as_str();
        // The official clients remove a connection from `config.toml` but not its key from the
        // store.
        let removed = !files.config.connections.contains_key(name)
            && files.records.get(name).is_some_and(|login| {
                login.store == kind.as_str() && login.origin == item.origin.as_str()
            });
        findings.warning(
            CHECK,
            format!(
                "the `{kind}` store has a key for `{name}` at {}, which no connection uses",
                item.origin
            ),
            match removed {
                true => format!("ntro auth remove {name}"),
                false => "point the connection there again, or erase it with the store's own tool"
                    .to_owned(),
            },
        );
    }
}

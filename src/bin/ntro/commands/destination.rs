//! Chooses the store of a new key and checks that it works, before the key is entered.

use ntro_base::{ConnectionName, Host};
use ntro_client::ops::{self, Replaced};
use ntro_client::secrets::{self, StoreKind};

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::prompt::{Asked, Stop};

/// The stores that options can name.
pub(super) const STORES: [&str; StoreKind::ALL.len()] = {
    let mut names = [""; StoreKind::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = StoreKind::ALL[index].as_str();
        index += 1;
    }
    names
};

/// Decides whether an existing connection may be replaced; asks if it can.
pub(super) fn overwrite(
    overwrite: bool,
    cx: &Context,
    name: &ConnectionName,
    host: &Host,
) -> Result<Asked<bool>, Stop> {
    let replaced = ops::replaced(cx.home()?, name, host).map_err(CliError::from)?;
    let Some(replaced) = replaced else {
        return Ok(Asked::before(overwrite));
    };
    if overwrite || !cx.prompter().is_interactive() {
        return match overwrite || replaced.same_origin {
            true => Ok(Asked::before(overwrite)),
            false => Err(CliError::from(ops::Error::OtherOrigin {
                name: name.clone(),
                existing: replaced.host.unwrap_or_default(),
                wanted: host.origin(),
            })
            .into()),
        };
    }
    let question = match &replaced {
        Replaced {
            same_origin: false,
            host: Some(old),
            ..
        } => {
            format!("`{name}` points to {old}. Point it to {host} instead?")
        }
        Replaced {
            key_prefix: Some(prefix),
            ..
        } => {
            format!("`{name}` has the key {prefix}… already. Replace it?")
        }
        _ => return Ok(Asked::before(false)),
    };
    match cx.prompter().confirm(&question)? {
        true => Ok(Asked::now(true)),
        false => Err(not_changed(name).into()),
    }
}

/// A person decided against replacing a connection.
pub(super) fn not_changed(name: &ConnectionName) -> CliError {
    CliError::new(Kind::Conflict, format!("`{name}` was not changed")).hint("choose another name")
}

/// Chooses the store and checks that it can keep a key, before a person is asked for the key.
pub(super) fn store(
    wanted: Option<&str>,
    cx: &Context,
    name: &ConnectionName,
) -> Result<Asked<StoreKind>, Stop> {
    let facts = cx.inputs()?.facts(name);
    let known = cx.config()?.connections.get(name.as_str());
    let named = known.is_some_and(|entry| entry.store.is_some())
        || cx.logins()?.get(name.as_str()).is_some();
    let mut kind = match wanted {
        Some(store) => store
            .parse()
            .map_err(|error| CliError::usage(format!("{error}")))?,
        // An older key in plain text does not select plain text: only an explicit setting does.
        None if named => facts.store.map_err(CliError::from)?.value,
        None => StoreKind::Keyring,
    };
    // Its identity is for the keys that `ntro dev` makes.
    if kind == StoreKind::Dev {
        kind = StoreKind::Keyring;
    };
    let asks = wanted.is_none() && cx.prompter().is_interactive();
    let mut absent = Vec::new();
    let mut is_asked = false;
    loop {
        match cx.store(kind)?.probe() {
            Ok(()) => {
                return Ok(Asked {
                    answer: kind,
                    is_asked,
                });
            }
            Err(secrets::Error::SteppedBack) if is_asked => {}
            Err(secrets::Error::SteppedBack) => return Err(Stop::Back),
            Err(error @ secrets::Error::Cancelled) => return Err(CliError::from(error).into()),
            Err(error) if !asks => return Err(CliError::from(error).into()),
            Err(error) => {
                cx.printer().warn(&error.to_string());
                if is_absent(&error) {
                    absent.push(kind);
                }
            }
        }
        kind = another(cx, &absent)?;
        is_asked = true;
    }
}

/// Returns whether asking the store again is of no use.
fn is_absent(error: &secrets::Error) -> bool {
    matches!(
        error,
        secrets::Error::Absent { .. } | secrets::Error::NotConfigured { .. }
    )
}

/// Asks for a store that is not absent.
fn another(cx: &Context, absent: &[StoreKind]) -> Result<StoreKind, Stop> {
    let others: Vec<_> = StoreKind::ALL
        .into_iter()
        .filter(|kind| !absent.contains(kind))
        .collect();
    let items: Vec<_> = others
        .iter()
        .map(|kind| format!("{kind}: {}", kind.summary()))
        .collect();
    // The encrypted file is never absent.
    let file = others.iter().position(|kind| *kind == StoreKind::File);
    loop {
        let question = "Where should the key be kept instead?";
        let choice = cx.prompter().select(question, &items, file.unwrap_or(0))?;
        let kind = others[choice];
        if kind != StoreKind::Plaintext {
            return Ok(kind);
        }
        let question = "Really in plain text, readable by every program of yours?";
        match cx.prompter().confirm(question) {
            Ok(true) => return Ok(kind),
            Ok(false) | Err(Stop::Back) => {}
            Err(stop) => return Err(stop),
        }
    }
}

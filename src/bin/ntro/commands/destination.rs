//! Chooses the store of a new key and checks that it works, before the key is entered.

use ntro_base::{ConnectionName, Host};
use ntro_client::ops::{self, Replaced};
use ntro_client::secrets::StoreKind;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

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
) -> Result<bool, CliError> {
    let Some(replaced) = ops::replaced(cx.home()?, name, host)? else {
        return Ok(overwrite);
    };
    if overwrite || !cx.prompter().is_interactive() {
        return match overwrite || replaced.same_origin {
            true => Ok(overwrite),
            false => Err(ops::Error::OtherOrigin {
                name: name.clone(),
                existing: replaced.host.unwrap_or_default(),
                wanted: host.origin(),
            }
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
        _ => return Ok(false),
    };
    match cx.prompter().confirm(&question, replaced.same_origin)? {
        true => Ok(true),
        false => Err(
            CliError::new(Kind::Conflict, format!("`{name}` was not changed"))
                .hint("choose another name"),
        ),
    }
}

/// Chooses the store and checks that it can keep a key, before a person is asked for the key.
pub(super) fn store(
    wanted: Option<&str>,
    cx: &Context,
    name: &ConnectionName,
) -> Result<StoreKind, CliError> {
    let facts = cx.inputs()?.facts(name);
    let known = cx.config()?.connections.get(name.as_str());
    let named = known.is_some_and(|entry| entry.store.is_some())
        || cx.logins()?.get(name.as_str()).is_some();
    let kind = match wanted {
        Some(store) => store
            .parse()
            .map_err(|error| CliError::usage(format!("{error}")))?,
        // An older key in plain text does not select plain text: only an explicit setting does.
        None if named => facts.store?.value,
        None => StoreKind::Keyring,
    };
    let error = match cx.store(kind)?.probe() {
        Ok(()) => return Ok(kind),
        Err(error) => error,
    };
    if wanted.is_some() || !cx.prompter().is_interactive() {
        return Err(error.into());
    }
    cx.printer().warn(&error.to_string());
    let others: Vec<_> = StoreKind::ALL
        .into_iter()
        .filter(|other| *other != kind)
        .collect();
    let items: Vec<_> = others
        .iter()
        .map(|kind| format!("{kind}: {}", kind.summary()))
        .collect();
    loop {
        let choice = cx
            .prompter()
            .select("Where should the key be kept instead?", &items, 0)?;
        let kind = others[choice];
        // The letters of a key pasted here by mistake move the selection.
        let sure = kind != StoreKind::Plaintext
            || cx.prompter().confirm(
                "Really in plain text, readable by anyone with access to your files?",
                false,
            )?;
        if sure {
            cx.store(kind)?.probe()?;
            return Ok(kind);
        }
    }
}

//! Which connection it is, and where its key will lie.

use ntro::domain::{ConnectionName, Host, Provider};
use ntro::env;
use ntro::login::{self, Replaced};
use ntro::secrets::StoreKind;

use super::{LoginArgs, checked_as};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

pub(super) fn name(args: &LoginArgs, cx: &Context) -> Result<ConnectionName, CliError> {
    let given = args.name.as_ref().or(cx.global().connection.as_ref());
    if let Some(name) = given {
        return Ok(name.clone());
    }
    let default = "local";
    let answer = match cx.prompter().is_interactive() {
        true => cx
            .prompter()
            .line("Connection name", Some(default), &|text| {
                checked_as::<ConnectionName>(text)
            })?,
        false => default.to_owned(),
    };
    answer
        .parse()
        .map_err(|error| CliError::usage(format!("{error}")))
}

pub(super) fn host(name: &ConnectionName, cx: &Context) -> Result<Host, CliError> {
    if let Some(host) = &cx.global().host {
        return Ok(host.clone());
    }
    let invalid = |source: &str, error: &dyn std::fmt::Display| {
        CliError::usage(format!("{source}: {error}")).hint("give a base URL with `--host`")
    };
    let variable = cx.env().text(&env::NTRO_HOST)?;
    if let Some(text) = variable {
        return text
            .parse()
            .map_err(|error| invalid("the variable `NTRO_HOST`", &error));
    }
    let existing = cx.config()?.connections.get(name.as_str());
    let existing = existing.and_then(|entry| entry.host.clone());
    let default = existing.or_else(|| match name.as_str() {
        "local" => Some(Provider::Ntropii.local_host().to_owned()),
        "production" => Some(Provider::Ntropii.production_host().to_owned()),
        _ => None,
    });
    if cx.prompter().is_interactive() {
        let insecure = cx.global().insecure_http;
        let answer = cx
            .prompter()
            .line("API host", default.as_deref(), &|text| {
                let host: Host = text.parse().map_err(|error| format!("{error}"))?;
                match insecure || host.is_safe_transport() {
                    true => Ok(()),
                    false => Err("plain `http` is for this machine only: use `https`".to_owned()),
                }
            })?;
        return answer
            .parse()
            .map_err(|error| invalid("the answer", &error));
    }
    match default {
        Some(host) => host
            .parse()
            .map_err(|error| invalid("the host in `config.toml`", &error)),
        None => Err(
            CliError::usage(format!("the host of `{name}` is not known"))
                .hint("give it with `--host`"),
        ),
    }
}

/// Decides whether what is there may be replaced; asks where it can be asked.
pub(super) fn overwrite(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    host: &Host,
) -> Result<bool, CliError> {
    let Some(replaced) = login::replaced(cx.home()?, name, host)? else {
        return Ok(args.overwrite);
    };
    if args.overwrite || !cx.prompter().is_interactive() {
        return match args.overwrite || replaced.same_origin {
            true => Ok(args.overwrite),
            false => Err(login::Error::OtherOrigin {
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
            CliError::new(Kind::Conflict, format!("`{name}` was left as it was"))
                .hint("choose another name with `--name`"),
        ),
    }
}

/// Decides where the key will lie, and makes sure that it can, before anybody is asked for it.
pub(super) fn store(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
) -> Result<StoreKind, CliError> {
    let resolver = cx.resolver()?;
    let known = cx.config()?.connections.get(name.as_str());
    let named = known.is_some_and(|entry| entry.store.is_some())
        || cx.logins()?.get(name.as_str()).is_some();
    let kind = match &args.store {
        Some(store) => store
            .parse()
            .map_err(|error| CliError::usage(format!("{error}")))?,
        // Never into the clear because an older key lay there: only where it was asked for.
        None if named => resolver.store(name)?.value,
        None => StoreKind::Keyring,
    };
    let error = match cx.open_store(kind)?.probe() {
        Ok(()) => return Ok(kind),
        Err(error) => error,
    };
    if args.store.is_some() || !cx.prompter().is_interactive() {
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
    let kind = others[cx
        .prompter()
        .select("Where should the key be kept instead?", &items, 0)?];
    cx.open_store(kind)?.probe()?;
    Ok(kind)
}

pub(super) fn make_default(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
) -> Result<Option<bool>, CliError> {
    if args.set_default || args.no_set_default {
        return Ok(Some(args.set_default));
    }
    match cx.config()?.default_name() {
        Some(default) if default != name.as_str() && cx.prompter().is_interactive() => {
            let question = format!("Make `{name}` the default connection instead of `{default}`?");
            Ok(Some(cx.prompter().confirm(&question, false)?))
        }
        _ => Ok(None),
    }
}

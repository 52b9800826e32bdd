//! Name and host of the connection, and whether it becomes the default.

use ntro_base::env;
use ntro_base::{ConnectionName, Host, Provider};
use ntro_client::resolve::ResolvedValue;

use super::{LoginArgs, checked_as};
use crate::context::Context;
use crate::error::CliError;

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
        let host = text
            .parse()
            .map_err(|error| invalid("the variable `NTRO_HOST`", &error))?;
        // The variable replaces the host of an existing connection.
        let known = cx.config()?.connections.contains_key(name.as_str());
        if known {
            let resolution = cx.inputs()?.resolve_for(name);
            cx.check_shadows_of(&resolution, &[ResolvedValue::Host])?;
        }
        return Ok(host);
    }
    let existing = cx.config()?.connections.get(name.as_str());
    let existing = existing.and_then(|entry| entry.host.clone());
    // An invalid host is not offered: it may contain a password.
    let interactive = cx.prompter().is_interactive();
    let existing = existing.filter(|host| !interactive || host.parse::<Host>().is_ok());
    let default = existing.or_else(|| match name.as_str() {
        "local" => Some(Provider::Ntropii.local_host().to_owned()),
        "production" => Some(Provider::Ntropii.production_host().to_owned()),
        _ => None,
    });
    if interactive {
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

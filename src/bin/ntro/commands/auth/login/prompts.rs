//! Name and host of the connection, and whether it becomes the default.

use ntro_base::env;
use ntro_base::{ConnectionName, Host, Provider};
use ntro_client::resolve::ResolvedValue;

use super::{LoginArgs, checked_as};
use crate::context::Context;
use crate::error::CliError;
use crate::prompt::{Asked, Line, Stop};

pub(super) const DEFAULT_NAME: &str = "local";

pub(super) fn name(
    args: &LoginArgs,
    cx: &Context,
    typed: Option<&str>,
) -> Result<Asked<ConnectionName>, Stop> {
    let given = args.name.as_ref().or(cx.global().connection.as_ref());
    if let Some(name) = given {
        return Ok(Asked::before(name.clone()));
    }
    let is_asked = cx.prompter().is_interactive();
    let answer = match is_asked {
        true => cx.prompter().line(
            Line {
                question: "Connection name",
                default: Some(DEFAULT_NAME),
                typed,
            },
            &checked_as::<ConnectionName>,
        )?,
        false => DEFAULT_NAME.to_owned(),
    };
    let answer = answer
        .parse()
        .map_err(|error| CliError::usage(format!("{error}")))?;
    Ok(Asked { answer, is_asked })
}

/// Returns the host of the connection. A host that was `wrong` is asked for even if an option gave
/// it.
pub(super) fn host(
    name: &ConnectionName,
    cx: &Context,
    typed: Option<&str>,
    wrong: bool,
) -> Result<Asked<Host>, Stop> {
    if !wrong && let Some(host) = given_host(name, cx)? {
        return Ok(Asked::before(host));
    }
    let invalid = |source: &str, error: &dyn std::fmt::Display| {
        CliError::usage(format!("{source}: {error}")).hint("give a base URL with `--host`")
    };
    let existing = cx.config()?.connections.get(name.as_str());
    let existing = existing.and_then(|entry| entry.host.clone());
    // An invalid host is not offered: it may contain a password.
    let interactive = cx.prompter().is_interactive();
    let existing = existing.filter(|host| !interactive || host.parse::<Host>().is_ok());
    let default = existing.or_else(|| match name.as_str() {
        DEFAULT_NAME => Some(Provider::Ntropii.local_host().to_owned()),
        "production" => Some(Provider::Ntropii.production_host().to_owned()),
        _ => None,
    });
    if interactive {
        let insecure = cx.global().insecure_http;
        let line = Line {
            question: "API host",
            default: default.as_deref(),
            typed: typed.filter(|typed| Some(*typed) != default.as_deref()),
        };
        let answer = cx.prompter().line(line, &|text| {
            let host: Host = text.parse().map_err(|error| format!("{error}"))?;
            match insecure || host.is_safe_transport() {
                true => Ok(()),
                false => Err("plain `http` is for this machine only: use `https`".to_owned()),
            }
        })?;
        let host = answer
            .parse()
            .map_err(|error| invalid("the answer", &error))?;
        return Ok(Asked::now(host));
    }
    match default {
        Some(host) => {
            let host = host
                .parse()
                .map_err(|error| invalid("the host in `config.toml`", &error))?;
            Ok(Asked::before(host))
        }
        None => Err(unknown_host(name).into()),
    }
}

/// Returns the host that an option or a variable gives.
fn given_host(name: &ConnectionName, cx: &Context) -> Result<Option<Host>, CliError> {
    if let Some(host) = &cx.global().host {
        return Ok(Some(host.clone()));
    }
    let Some(text) = cx.env().text(&env::NTRO_HOST)? else {
        return Ok(None);
    };
    let host = text.parse().map_err(|error| {
        CliError::usage(format!("the variable `NTRO_HOST`: {error}"))
            .hint("give a base URL with `--host`")
    })?;
    // The variable replaces the host of an existing connection.
    if cx.config()?.connections.contains_key(name.as_str()) {
        let resolution = cx.inputs()?.resolve_for(name);
        cx.check_shadows_of(&resolution, &[ResolvedValue::Host])?;
    }
    Ok(Some(host))
}

fn unknown_host(name: &ConnectionName) -> CliError {
    CliError::usage(format!("the host of `{name}` is not known")).hint("give it with `--host`")
}

pub(super) fn make_default(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
) -> Result<Option<bool>, Stop> {
    if args.set_default || args.no_set_default {
        return Ok(Some(args.set_default));
    }
    match cx.config()?.default_name() {
        Some(default) if default != name.as_str() && cx.prompter().is_interactive() => {
            let question = format!("Make `{name}` the default connection instead of `{default}`?");
            Ok(Some(cx.prompter().confirm(&question)?))
        }
        _ => Ok(None),
    }
}

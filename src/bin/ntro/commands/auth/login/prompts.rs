//! Name and host of the connection, and whether it becomes the default.

use ntro_base::env;
use ntro_base::{ConnectionName, Host, Provider};
use ntro_client::resolve::ResolvedValue;

use super::{LoginArgs, checked_as};
use crate::context::Context;
use crate::error::CliError;
use crate::prompt::{Asked, Choice, Line, Stop};

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
    let existing = cx.config()?.connections.get(name.as_str());
    let existing = existing.and_then(|entry| entry.host.as_deref());
    let by_name = match name.as_str() {
        DEFAULT_NAME => Some(Provider::Ntropii.local_host()),
        "production" => Some(Provider::Ntropii.production_host()),
        _ => None,
    };
    if cx.prompter().is_interactive() {
        let safe = |host: &&str| checked_host(cx, host).is_ok();
        let existing = existing.filter(safe);
        return asked_host(cx, existing, existing.or(by_name), typed);
    }
    match existing.or(by_name) {
        Some(host) => {
            let invalid = |error| {
                CliError::usage(format!("the host in `config.toml`: {error}"))
                    .hint("give a base URL with `--host`")
            };
            Ok(Asked::before(host.parse().map_err(invalid)?))
        }
        None => Err(unknown_host(name).into()),
    }
}

fn checked_host(cx: &Context, text: &str) -> Result<Host, String> {
    let host: Host = text.parse().map_err(|error| format!("{error}"))?;
    match cx.global().insecure_http || host.is_safe_transport() {
        true => Ok(host),
        false => Err("plain `http` is for this machine only: use `https`".to_owned()),
    }
}

/// Offers the known hosts and the `existing` one of the connection. A host that was `typed` is
/// offered to be edited.
fn asked_host(
    cx: &Context,
    existing: Option<&str>,
    default: Option<&str>,
    typed: Option<&str>,
) -> Result<Asked<Host>, Stop> {
    let mut hosts = vec![
        ("Ntropii", Provider::Ntropii.production_host()),
        ("Ontora", Provider::Ontora.production_host()),
        ("this machine", Provider::Ntropii.local_host()),
    ];
    if let Some(existing) = existing
        && hosts.iter().all(|(_, known)| *known != existing)
    {
        hosts.insert(0, ("as before", existing));
    }
    let offered = |host: &str| hosts.iter().position(|(_, known)| *known == host);
    let default = typed.and_then(offered).or(default.and_then(offered));
    let items = hosts.iter().map(|(what, host)| format!("{what}: {host}"));
    let items: Vec<_> = items.chain(["another: type its URL".to_owned()]).collect();
    let line = Line {
        question: "API host",
        default: None,
        typed: typed.filter(|typed| offered(typed).is_none()),
    };
    let check = |text: &str| checked_host(cx, text).map(drop);
    let mut is_line = line.typed.is_some();
    let text = loop {
        let answer = match is_line {
            true => cx.prompter().line(line, &check).map(Choice::Line),
            false => cx
                .prompter()
                .choose(line, &items, default.unwrap_or(0), &check),
        };
        match answer {
            Err(Stop::Back) if is_line => is_line = false,
            Err(stop) => return Err(stop),
            Ok(Choice::Line(text)) => break text,
            Ok(Choice::Item(item)) => match hosts.get(item) {
                Some((_, host)) => break (*host).to_owned(),
                None => is_line = true,
            },
        }
    };
    let host = text
        .parse()
        .map_err(|error| CliError::usage(format!("the answer: {error}")))?;
    Ok(Asked::now(host))
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

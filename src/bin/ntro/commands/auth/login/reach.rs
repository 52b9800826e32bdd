//! Whether a typed host has an API, before the key is asked for.

use ntro_base::{ConnectionName, Host, Provider};
use ntro_client::api;

use super::{LoginArgs, key};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::progress;
use crate::prompt::Stop;

/// Returns the base URL of the API at a host: the host itself, or `/v1` below it. Sends no key.
pub(super) fn base_url(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    host: &Host,
) -> Result<Host, Stop> {
    if args.no_verify {
        return Ok(host.clone());
    }
    for (provider, base) in candidates(expected(args, cx, name, host)?, host)? {
        if is_api(cx, provider, &base)? {
            // The provider is known with the key, which decides about `/v1` at an Ontora server.
            let found = match provider {
                Provider::Ontora => host.clone(),
                Provider::Ntropii => base,
            };
            if found != *host {
                cx.printer().note(&format!("the API is at {found}"));
            }
            return Ok(found);
        }
    }
    let message = format!("`{}` answers, but has no API at `{host}`", host.origin());
    Err(Stop::Again(CliError::new(Kind::Failure, message).hint(
        "check the host; `--host` or `--no-verify` accepts it without this check",
    )))
}

/// Returns the provider, where it is known without a key.
fn expected(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    host: &Host,
) -> Result<Option<Provider>, CliError> {
    let known = cx.config()?.connections.get(name.as_str());
    let known = known.and_then(|entry| entry.provider.as_ref());
    let named = args.provider.as_ref().or(known);
    Ok(named
        .and_then(|provider| provider.parse().ok())
        .or_else(|| Provider::of_production_host(host)))
}

fn candidates(expected: Option<Provider>, host: &Host) -> Result<Vec<(Provider, Host)>, CliError> {
    let mut candidates = Vec::new();
    if expected != Some(Provider::Ontora) {
        candidates.push((Provider::Ntropii, host.clone()));
        candidates.extend(below(host).map(|below| (Provider::Ntropii, below)));
    }
    if expected != Some(Provider::Ntropii) {
        candidates.push((Provider::Ontora, key::base_url(Provider::Ontora, host)?));
    }
    Ok(candidates)
}

/// Returns `/v1` below a host without a path, where the API of Ntropii may be.
pub(super) fn below(host: &Host) -> Option<Host> {
    let is_bare = host.as_str() == host.origin().as_str();
    is_bare.then(|| format!("{host}/v1").parse().ok()).flatten()
}

fn is_api(cx: &Context, provider: Provider, host: &Host) -> Result<bool, Stop> {
    let target = api::Target {
        provider,
        host: host.clone(),
        key: None,
        insecure_http: cx.global().insecure_http,
    };
    let client = cx.session().client_of(target).map_err(CliError::from)?;
    let spinner = progress::spinner(cx.printer(), format!("calling {}", host.origin()));
    let answer = cx.block_on(client.reach())?;
    spinner.finish_and_clear();
    match answer {
        Ok(reached) => Ok(reached.status != 404),
        Err(error) => Err(Stop::Again(error.into())),
    }
}

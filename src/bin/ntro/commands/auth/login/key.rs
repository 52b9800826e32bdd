//! Reading the key and checking it with its server.

use ntro_base::env;
use ntro_base::{ApiKey, ApiKeyError, ConnectionName, Host, Provider};
use ntro_client::BoundKey;
use ntro_client::api::{self, Whoami};
use secrecy::ExposeSecret as _;

use super::{LoginArgs, reach};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::progress;
use crate::prompt::{Asked, Stop};
use crate::stdin;

/// Key on the command line. Parsing never fails, since a message of the parser would repeat the key.
#[derive(Clone, Debug)]
pub(super) enum KeyArg {
    Stdin,
    Given(Result<ApiKey, ApiKeyError>),
}

impl KeyArg {
    #[expect(clippy::unnecessary_wraps, reason = "a value parser returns a result")]
    pub(super) fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(match text {
            "-" => Self::Stdin,
            text => Self::Given(text.parse()),
        })
    }
}

/// Key that may be stored.
pub(super) struct Accepted {
    pub(super) key: ApiKey,
    pub(super) provider: Provider,
    pub(super) host: Host,
    /// Response of the server; `None` with `--no-verify`.
    pub(super) checked: Option<Whoami>,
}

/// Reads the key and checks it. On a terminal, asks again after a rejection.
pub(super) fn accepted(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    host: &Host,
) -> Result<Asked<Accepted>, Stop> {
    // Report invalid settings before any prompt.
    cx.api_settings()?;
    if let Some(key) = given_key(args, cx)? {
        let accepted = checked(args, cx, name, host, &key)?;
        return match accepted {
            Ok(accepted) => Ok(Asked::before(accepted)),
            Err(error) => {
                let error = failed(error);
                // The variable has no part in a login with a key from elsewhere.
                let is_key_rejected = error.is_key_rejected && is_from_variable(args);
                Err(CliError {
                    is_key_rejected,
                    ..error
                }
                .into())
            }
        };
    }
    loop {
        let key = asked_key(cx, "API key (not shown)")?;
        let mut answer = checked(args, cx, name, host, &key)?;
        if let (Err(api::Error::UnknownApi(_)), Some(below)) = (&answer, reach::below(host)) {
            // A server that rejects any path without a key looked like an API at this host.
            let second = checked(args, cx, name, &below, &key)?;
            answer = match second {
                Err(api::Error::UnknownApi(_)) => answer,
                second => second,
            };
        }
        match answer {
            Ok(accepted) => return Ok(Asked::now(accepted)),
            Err(error @ (api::Error::Rejected(_) | api::Error::Forbidden(_))) => {
                let error = CliError::from(error);
                cx.printer().fail(&CliError {
                    hint: Some("try another key, or press Ctrl-C to change nothing".to_owned()),
                    ..error
                });
            }
            Err(error) => return Err(Stop::Again(failed(error))),
        }
    }
}

/// Checks a key with its server.
fn checked(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    host: &Host,
    key: &ApiKey,
) -> Result<Result<Accepted, api::Error>, CliError> {
    let provider = provider(args, cx, name, host, key)?;
    let host = base_url(provider, host)?;
    let checked = match args.no_verify {
        true => Ok(None),
        false => check(cx, provider, &host, key)?.map(Some),
    };
    Ok(checked.map(|checked| Accepted {
        key: key.clone(),
        provider,
        host,
        checked,
    }))
}

fn failed(error: api::Error) -> CliError {
    let error = CliError::from(error);
    match error.kind {
        Kind::Unreachable => CliError {
            hint: error
                .hint
                .map(|hint| format!("{hint}; `--no-verify` stores the key without asking")),
            ..error
        },
        _ => error,
    }
}

fn is_from_variable(args: &LoginArgs) -> bool {
    args.api_key.is_none() && !args.api_key_stdin
}

fn given_key(args: &LoginArgs, cx: &Context) -> Result<Option<ApiKey>, CliError> {
    match &args.api_key {
        Some(KeyArg::Given(key)) => {
            let key = parsed("`--api-key`", key.clone())?;
            cx.printer().note(
                "note: other users can see a key in the list of processes; `--api-key-stdin` is safer",
            );
            return Ok(Some(key));
        }
        Some(KeyArg::Stdin) => {}
        None if args.api_key_stdin => {}
        None if cx.prompter().is_interactive() => return Ok(None),
        None => {
            return match cx.env().text(&env::NTRO_API_KEY)? {
                Some(key) => parsed("the variable `NTRO_API_KEY`", key.parse()).map(Some),
                None => Err(CliError::usage("an API key is needed").hint(
                    "give it with `--api-key-stdin`, or set `NTRO_API_KEY`; on a terminal it is asked for",
                )),
            };
        }
    }
    let key = stdin::secret("key", "--api-key-stdin")?.parse();
    parsed("standard input", key).map(Some)
}

/// Asks for a key. Refuses a text that is not likely one.
pub(in crate::commands::auth) fn asked_key(cx: &Context, question: &str) -> Result<ApiKey, Stop> {
    let answer = cx.prompter().secret(question, &|text| {
        let key: ApiKey = text
            .parse()
            .map_err(|error: ApiKeyError| error.to_string())?;
        match key.oddity() {
            None => Ok(()),
            Some(odd) => Err(format!("the API key {odd}: copy the key alone")),
        }
    })?;
    let key = answer.expose_secret().parse();
    Ok(key.map_err(|error: ApiKeyError| CliError::usage(error.to_string()))?)
}

/// Reads a key given by `source`. Refuses a text that is not likely one.
pub(in crate::commands::auth) fn parsed(
    source: &str,
    key: Result<ApiKey, ApiKeyError>,
) -> Result<ApiKey, CliError> {
    let problem = match key {
        Ok(key) => match key.oddity() {
            None => return Ok(key),
            Some(odd) => format!("the API key {odd}"),
        },
        Err(error) => error.to_string(),
    };
    Err(CliError::usage(format!("{source}: {problem}"))
        .hint("copy the key again, and nothing else"))
}

fn provider(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    host: &Host,
    key: &ApiKey,
) -> Result<Provider, CliError> {
    if let Some(provider) = &args.provider {
        return provider
            .parse()
            .map_err(|error| CliError::usage(format!("{error}")));
    }
    if let Some(provider) = key.provider() {
        return Ok(provider);
    }
    let known = cx.config()?.connections.get(name.as_str());
    if let Some(provider) = known.and_then(|entry| entry.provider.as_ref()) {
        return provider.parse().map_err(|error| {
            CliError::new(Kind::Config, format!("the connection `{name}`: {error}"))
        });
    }
    Ok(Provider::of_production_host(host).unwrap_or(Provider::Ntropii))
}

/// Removes `/v1` from the end of an Ontora URL: each of its paths begins with it. Ntropii's base URL
/// ends with it.
pub(super) fn base_url(provider: Provider, host: &Host) -> Result<Host, CliError> {
    match (provider, host.as_str().strip_suffix("/v1")) {
        (Provider::Ontora, Some(base)) => base
            .parse()
            .map_err(|error| CliError::usage(format!("the host: {error}"))),
        _ => Ok(host.clone()),
    }
}

fn check(
    cx: &Context,
    provider: Provider,
    host: &Host,
    key: &ApiKey,
) -> Result<Result<Whoami, api::Error>, CliError> {
    let target = api::Target {
        provider,
        host: host.clone(),
        key: Some(BoundKey::new(key.clone(), host.origin())),
        insecure_http: cx.global().insecure_http,
    };
    let client = cx.session().client_of(target)?;
    let spinner = progress::spinner(
        cx.printer(),
        format!("checking the key at {}", host.origin()),
    );
    let answer = cx.block_on(client.whoami())?;
    spinner.finish_and_clear();
    Ok(answer)
}

//! Reading the key and checking it with its server.

use ntro_base::env;
use ntro_base::{ApiKey, ApiKeyError, ConnectionName, Host, Provider};
use ntro_client::BoundKey;
use ntro_client::api::{self, Whoami};
use secrecy::ExposeSecret as _;

use super::{LoginArgs, checked_as};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::progress;
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

/// Reads the key and checks it. On a terminal, prompts again after a rejection.
pub(super) fn checked_key(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    host: Host,
) -> Result<Accepted, CliError> {
    // Report invalid settings before any prompt.
    cx.api_settings()?;
    let given = given_key(args, cx)?;
    let again = given.is_none();
    let mut given = given;
    loop {
        let key = match given.take() {
            Some(key) => key,
            None => asked_key(cx)?,
        };
        let provider = provider(args, cx, name, &host, &key)?;
        let host = base_url(provider, &host)?;
        let accepted = |checked| Accepted {
            key: key.clone(),
            provider,
            host: host.clone(),
            checked,
        };
        if args.no_verify {
            return Ok(accepted(None));
        }
        match check(cx, provider, &host, &key)? {
            Ok(checked) => return Ok(accepted(Some(checked))),
            Err(error @ api::Error::Rejected(_)) if again => {
                let error = CliError::from(error);
                cx.printer().fail(&CliError {
                    hint: Some("try another key, or press Ctrl-C to change nothing".to_owned()),
                    ..error
                });
            }
            Err(error) => {
                let error = CliError::from(error);
                return Err(match error.kind {
                    Kind::Unreachable => CliError {
                        hint: error.hint.map(|hint| {
                            format!("{hint}; `--no-verify` stores the key without asking")
                        }),
                        ..error
                    },
                    _ => error,
                });
            }
        }
    }
}

fn given_key(args: &LoginArgs, cx: &Context) -> Result<Option<ApiKey>, CliError> {
    let invalid = |source: &str, error: &ApiKeyError| {
        CliError::usage(format!("{source}: {error}")).hint("copy the key again, and nothing else")
    };
    match &args.api_key {
        Some(KeyArg::Given(key)) => {
            let key = key
                .clone()
                .map_err(|error| invalid("`--api-key`", &error))?;
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
                Some(key) => {
                    let key = key.parse();
                    key.map(Some).map_err(|error| invalid("the variable `NTRO_API_KEY`", &error))
                }
                None => Err(CliError::usage("an API key is needed").hint(
                    "give it with `--api-key-stdin`, or set `NTRO_API_KEY`; on a terminal it is asked for",
                )),
            };
        }
    }
    let key = stdin::secret("key", "--api-key-stdin")?.parse();
    key.map(Some)
        .map_err(|error| invalid("standard input", &error))
}

fn asked_key(cx: &Context) -> Result<ApiKey, CliError> {
    let answer = cx
        .prompter()
        .secret("API key (not shown)", &checked_as::<ApiKey>)?;
    let key = answer.expose_secret().parse();
    key.map_err(|error: ApiKeyError| CliError::usage(error.to_string()))
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
fn base_url(provider: Provider, host: &Host) -> Result<Host, CliError> {
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

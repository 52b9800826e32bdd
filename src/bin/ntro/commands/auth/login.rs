use std::io::{IsTerminal as _, Read as _};

use ntro::api::{self, Client, Identity, Tenant};
use ntro::domain::{ApiKey, ApiKeyError, BoundKey, ConnectionName, Host, Provider, TenantSlug};
use ntro::env;
use ntro::login::{self, NewLogin, Replaced};
use ntro::secrets::{self, StoreKind};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use zeroize::Zeroizing;

use super::super::identity::{self, TenantName};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Fields, Paint, Report, progress};

/// Store a key for a connection, after its server has accepted it
///
/// On a terminal, asks for whatever is not given as an option. Nothing is stored until the server
/// has accepted the key, and Ctrl-C at any question leaves everything as it was.
#[derive(clap::Args, Debug)]
pub(crate) struct LoginArgs {
    /// Name of the connection [default: local]
    #[arg(short, long, value_name = "NAME")]
    name: Option<ConnectionName>,
    /// API key, or `-` to read it from standard input; other users can see a literal key in the
    /// list of processes
    #[arg(long, value_name = "KEY", value_parser = KeyArg::parse, allow_hyphen_values = true)]
    api_key: Option<KeyArg>,
    /// Read the API key from standard input
    #[arg(long, conflicts_with = "api_key")]
    api_key_stdin: bool,
    /// Tenant to use where no other is named; `--tenant` means the same here
    #[arg(long, value_name = "SLUG")]
    default_tenant: Option<TenantSlug>,
    /// System that the key belongs to; by default, what the key looks like
    #[arg(long, value_name = "PROVIDER", value_parser = ["ntropii", "ontora"])]
    provider: Option<String>,
    /// Where to keep the key [default: keyring]
    #[arg(long, value_name = "STORE", value_parser = ["keyring", "file", "plaintext"])]
    store: Option<String>,
    /// Make the connection the default one
    #[arg(long, overrides_with = "no_set_default")]
    set_default: bool,
    /// Leave the default connection as it is
    #[arg(long)]
    no_set_default: bool,
    /// Allow a connection of this name to point to another origin than before
    #[arg(long)]
    overwrite: bool,
    /// Store the key without asking its server
    #[arg(long)]
    no_verify: bool,
}

/// A key on the command line. Parsing never fails, so that no message of the parser repeats it.
#[derive(Clone, Debug)]
enum KeyArg {
    Stdin,
    Given(Result<ApiKey, ApiKeyError>),
}

impl KeyArg {
    #[expect(clippy::unnecessary_wraps, reason = "a value parser returns a result")]
    fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(match text {
            "-" => Self::Stdin,
            text => Self::Given(text.parse()),
        })
    }
}

/// What the server said of the key.
struct Checked {
    identity: Identity,
    tenants: Vec<Tenant>,
}

#[derive(Debug, Serialize)]
struct Summary {
    connection: String,
    host: String,
    provider: &'static str,
    key_prefix: String,
    store: String,
    is_default: bool,
    verified: bool,
    default_tenant: Option<String>,
    identity: Option<String>,
    tenants: Option<Vec<TenantName>>,
    expires_at: Option<jiff::Timestamp>,
}

pub(crate) fn run(args: LoginArgs, cx: &Context) -> Result<Exit, CliError> {
    let name = name(&args, cx)?;
    let host = host(&name, cx)?;
    if !host.is_safe_transport() && !cx.global().insecure_http {
        return Err(api::Error::InsecureTransport {
            origin: host.origin(),
        }
        .into());
    }
    let overwrite = overwrite(&args, cx, &name, &host)?;
    let store = store(&args, cx, &name)?;
    let (key, provider, host, checked) = checked_key(&args, cx, &name, host)?;
    let tenant = tenant(&args, cx, &name, checked.as_ref())?;
    let make_default = make_default(&args, cx, &name)?;

    let new = NewLogin {
        name,
        provider,
        key,
        expires_at: checked
            .as_ref()
            .and_then(|checked| identity::expiry(&checked.identity)),
        default_tenant: tenant,
        store,
        make_default,
        overwrite,
        now: cx.now(),
        host,
    };
    let settings = cx.stores()?;
    let stored = login::store(cx.home()?, &new, &|kind| secrets::open(kind, settings))?;
    if let Some(error) = stored.left_behind {
        cx.printer().warn(&format!(
            "the key that was replaced is still in its store: {error}"
        ));
    }
    if cx.env().is_set(&env::NTRO_API_KEY) && cx.prompter().is_interactive() {
        cx.printer()
            .warn("the variable `NTRO_API_KEY` is set and overrides this login");
    }
    cx.printer()
        .confirm(&Summary::new(&new, stored.is_default, checked))?;
    Ok(Exit::Fine)
}

fn name(args: &LoginArgs, cx: &Context) -> Result<ConnectionName, CliError> {
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

fn checked_as<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(), String> {
    text.parse::<T>()
        .map(drop)
        .map_err(|error| error.to_string())
}

fn host(name: &ConnectionName, cx: &Context) -> Result<Host, CliError> {
    if let Some(host) = &cx.global().host {
        return Ok(host.clone());
    }
    let invalid = |source: &str, error: &dyn std::fmt::Display| {
        CliError::usage(format!("{source}: {error}")).hint("give a base URL with `--host`")
    };
    let variable = cx
        .env()
        .text(&env::NTRO_HOST)
        .map_err(ntro::connection::Error::from)?;
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
fn overwrite(
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
fn store(args: &LoginArgs, cx: &Context, name: &ConnectionName) -> Result<StoreKind, CliError> {
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

/// Gets the key and has it checked. On a terminal, a key that is rejected can be given again.
fn checked_key(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    host: Host,
) -> Result<(ApiKey, Provider, Host, Option<Checked>), CliError> {
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
        if args.no_verify {
            return Ok((key, provider, host, None));
        }
        match check(cx, provider, &host, &key)? {
            Ok(checked) => return Ok((key, provider, host, Some(checked))),
            Err(error @ api::Error::Rejected(_)) if again => {
                let error = CliError::from(error);
                cx.printer().fail(&CliError {
                    hint: Some(
                        "try another key, or press Ctrl-C to leave everything as it was".to_owned(),
                    ),
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
            let variable = cx.env().text(&env::NTRO_API_KEY);
            return match variable.map_err(ntro::connection::Error::from)? {
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
    let key = read_stdin()?.parse();
    key.map(Some)
        .map_err(|error| invalid("standard input", &error))
}

fn read_stdin() -> Result<Zeroizing<String>, CliError> {
    /// More than any key, with room to say by how much it is too long.
    const LONGEST: u64 = 64 * 1024;

    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(
            CliError::usage("standard input is a terminal, which would show the key")
                .hint("leave `--api-key-stdin` out to be asked for the key, or pipe it in"),
        );
    }
    let mut text = Zeroizing::new(String::new());
    stdin
        .lock()
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| {
            CliError::usage(format!("standard input cannot be read: {error}"))
                .hint("pipe the key in: `ntro auth login --api-key-stdin < FILE`")
        })?;
    Ok(text)
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
    let origin = host.origin();
    let ontora = Provider::Ontora.production_host() == origin.as_str();
    Ok(if ontora {
        Provider::Ontora
    } else {
        Provider::Ntropii
    })
}

/// Ontora's paths begin with `/v1`, so its base URL must not end with it. Ntropii's does.
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
) -> Result<Result<Checked, api::Error>, CliError> {
    let target = api::Target {
        provider,
        host: host.clone(),
        key: Some(BoundKey::new(key.clone(), host.origin())),
        insecure_http: cx.global().insecure_http,
    };
    let client = Client::new(target, api::Settings::default());
    let spinner = progress::spinner(
        cx.printer(),
        format!("checking the key at {}", host.origin()),
    );
    let answer = cx.block_on(identity::ask(&client))?;
    spinner.finish_and_clear();
    Ok(answer.map(|(identity, tenants)| Checked { identity, tenants }))
}

fn tenant(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    checked: Option<&Checked>,
) -> Result<Option<TenantSlug>, CliError> {
    let wanted = args.default_tenant.as_ref().or(cx.global().tenant.as_ref());
    let Some(Checked { tenants, .. }) = checked else {
        return Ok(wanted.cloned());
    };
    if let Some(wanted) = wanted {
        let reached = tenants.iter().any(|tenant| tenant.is(wanted));
        return match reached {
            true => Ok(Some(wanted.clone())),
            false => Err(identity::out_of_reach(
                cx,
                wanted,
                "`--default-tenant`",
                tenants,
            )),
        };
    }
    let kept = cx.config()?.connections.get(name.as_str());
    let kept = kept.and_then(|entry| entry.default_tenant.as_ref()?.parse().ok());
    let kept = tenants
        .iter()
        .position(|tenant| kept.as_ref().is_some_and(|kept| tenant.is(kept)));
    let choice = match tenants.as_slice() {
        [] => return Ok(None),
        [only] => return Ok(Some(only.slug.clone())),
        several if cx.prompter().is_interactive() => {
            let items: Vec<_> = several.iter().map(described).collect();
            cx.prompter()
                .select("Default tenant", &items, kept.unwrap_or(0))?
        }
        _ => match kept {
            Some(kept) => kept,
            None => return Ok(None),
        },
    };
    Ok(Some(tenants[choice].slug.clone()))
}

fn described(tenant: &Tenant) -> String {
    match &tenant.name {
        Some(name) => format!("{} ({name})", tenant.slug),
        None => tenant.slug.to_string(),
    }
}

fn make_default(
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

impl Summary {
    fn new(new: &NewLogin, is_default: bool, checked: Option<Checked>) -> Self {
        Self {
            connection: new.name.to_string(),
            host: new.host.to_string(),
            provider: new.provider.as_str(),
            key_prefix: new.key.prefix().to_string(),
            store: new.store.to_string(),
            is_default,
            verified: checked.is_some(),
            default_tenant: new.default_tenant.as_ref().map(ToString::to_string),
            tenants: checked
                .as_ref()
                .map(|checked| checked.tenants.iter().map(TenantName::from).collect()),
            identity: checked
                .map(|checked| checked.identity.email.unwrap_or(checked.identity.name)),
            expires_at: new.expires_at,
        }
    }
}

impl Report for Summary {
    fn text(&self, paint: Paint) -> String {
        let kind: Option<StoreKind> = self.store.parse().ok();
        let place = match &kind {
            Some(kind) => kind.summary(),
            None => &self.store,
        };
        let as_whom = match &self.identity {
            Some(identity) => format!(" as {identity}"),
            None => ", without asking the server".to_owned(),
        };
        let mut fields = Fields::new(paint);
        fields.put("host", &format!("{} ({})", self.host, self.provider));
        fields.put("key", &format!("{}… in {place}", self.key_prefix));
        fields.put_some("tenant", self.default_tenant.as_deref());
        fields.put_some(
            "expires",
            self.expires_at.map(|at| at.to_string()).as_deref(),
        );
        fields.put("default", if self.is_default { "yes" } else { "no" });
        let head = format!("logged in to `{}`{as_whom}", self.connection);
        format!("{} {head}\n{}", paint.good("✓"), fields.text())
    }
}

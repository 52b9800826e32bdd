//! `ntro auth login`: prompts for missing values, checks the key and stores it.

mod key;
mod prompts;
mod summary;
mod tenant;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use ntro_base::env;
use ntro_base::{ConnectionName, Policy, TenantSlug};
use ntro_client::api;
use ntro_client::ops::{self, NewLogin};

use self::key::{Accepted, KeyArg};
pub(super) use self::summary::LoginSummary;
use crate::commands::{destination, expiry, identity};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Store a key for a connection, once its server has accepted it
///
/// On a terminal, prompts for missing options. Nothing is stored until the server has accepted the
/// key, and Ctrl-C at any prompt changes nothing.
#[derive(clap::Args, Debug)]
pub(crate) struct LoginArgs {
    /// Name of the connection [default: local]
    #[arg(short, long, value_name = "NAME")]
    name: Option<ConnectionName>,
    /// API key, or `-` to read it from standard input; other users can see a key given here in the
    /// process list
    #[arg(long, value_name = "KEY", value_parser = KeyArg::parse, allow_hyphen_values = true)]
    api_key: Option<KeyArg>,
    /// Read the API key from standard input
    #[arg(long, conflicts_with = "api_key")]
    api_key_stdin: bool,
    /// Default tenant of the connection; `--tenant` means the same here
    #[arg(long, value_name = "SLUG")]
    default_tenant: Option<TenantSlug>,
    /// System that the key belongs to [default: from the key's format]
    #[arg(long, value_name = "PROVIDER", value_parser = ["ntropii", "ontora"])]
    provider: Option<String>,
    /// Where to keep the key [default: keyring]
    #[arg(long, value_name = "STORE", value_parser = destination::STORES)]
    store: Option<String>,
    /// Make this the default connection
    #[arg(long, overrides_with = "no_set_default")]
    set_default: bool,
    /// Keep the current default connection
    #[arg(long)]
    no_set_default: bool,
    /// Replace a connection of this name that points to another origin
    #[arg(long)]
    overwrite: bool,
    /// Restrict use of the key: `keyless` never reveals it, `confirm` asks on the terminal first,
    /// `none` removes the restriction [default: unchanged]
    #[arg(long, value_name = "POLICY", value_parser = PossibleValuesParser::new(["keyless", "confirm", "none"]).try_map(|policy| policy.parse::<Policy>()))]
    policy: Option<Policy>,
    /// Store the key without checking it with the server
    #[arg(long)]
    no_verify: bool,
}

pub(crate) fn run(args: LoginArgs, cx: &Context) -> Result<Exit, CliError> {
    let name = prompts::name(&args, cx)?;
    let host = prompts::host(&name, cx)?;
    if !host.is_safe_transport() && !cx.global().insecure_http {
        return Err(api::Error::InsecureTransport {
            origin: host.origin(),
        }
        .into());
    }
    let overwrite = destination::overwrite(args.overwrite, cx, &name, &host)?;
    let store = destination::store(args.store.as_deref(), cx, &name)?;
    let Accepted {
        key,
        provider,
        host,
        checked,
    } = key::checked_key(&args, cx, &name, host)?;
    let tenant = tenant::choose(&args, cx, &name, checked.as_ref())?;
    let make_default = prompts::make_default(&args, cx, &name)?;

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
        policy: args.policy,
        now: cx.now(),
        host,
    };
    let stored = ops::store(cx.home()?, &new, cx.stores()?)?;
    if let Some(error) = stored.left_behind {
        cx.printer().warn(&format!(
            "the key that was replaced is still in its store: {error}"
        ));
    }
    // Not after a login with the key of the variable itself.
    let variable = cx.env().text(&env::NTRO_API_KEY)?;
    if variable.is_some_and(|text| text.parse().ok().as_ref() != Some(&new.key)) {
        cx.printer()
            .warn("the variable `NTRO_API_KEY` is set and overrides this login");
    }
    cx.printer()
        .confirm(&LoginSummary::new(&new, stored.is_default, checked))?;
    expiry::warn(cx, Some(new.name.as_str()), new.expires_at);
    Ok(Exit::Success)
}

fn checked_as<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(), String> {
    text.parse::<T>()
        .map(drop)
        .map_err(|error| error.to_string())
}

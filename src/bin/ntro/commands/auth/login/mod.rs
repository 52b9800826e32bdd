//! `ntro auth login`: ask for what is not given, have the key checked, store it or nothing.

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
    #[arg(long, value_name = "STORE", value_parser = destination::STORES)]
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
    /// What may become of the key: `keyless` hands it to nobody, `confirm` asks on the terminal
    /// before, `none` lifts either [default: as it was]
    #[arg(long, value_name = "POLICY", value_parser = PossibleValuesParser::new(["keyless", "confirm", "none"]).try_map(|policy| policy.parse::<Policy>()))]
    policy: Option<Policy>,
    /// Store the key without asking its server
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
    // A job may have taken the key from there.
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

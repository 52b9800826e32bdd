//! `ntro auth login`: prompts for missing values, checks the key and stores it.

pub(super) mod key;
mod missing;
mod prompts;
mod reach;
mod summary;
mod tenant;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use ntro_base::env;
use ntro_base::{ConnectionName, Host, Policy, TenantSlug};
use ntro_client::api;
use ntro_client::ops::{self, NewLogin};
use ntro_client::secrets::StoreKind;

use self::key::{Accepted, KeyArg};
pub(super) use self::summary::LoginSummary;
use super::logout::still_valid;
use crate::commands::{destination, expiry, identity};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt;
use crate::prompt::{Asked, Stop, walk};

/// Store a key for a connection, once its server has accepted it
///
/// On a terminal, prompts for missing options, and again after a mistake. Esc goes one question back.
/// Nothing is stored until the server has accepted the key, and Ctrl-C at any prompt changes nothing.
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
    /// Replace a connection of this name that points to another origin or tenant
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

/// The connection that a key is for.
struct Target<'a> {
    name: &'a ConnectionName,
    host: Host,
    overwrite: bool,
    store: StoreKind,
}

/// The questions of a login in their order. Each function gets one answer and goes on to the next.
struct Questions<'a> {
    args: &'a LoginArgs,
    cx: &'a Context,
}

pub(crate) fn run(args: LoginArgs, cx: &Context) -> Result<Exit, CliError> {
    if cx.prompter().is_interactive() {
        let printer = cx.printer().clone();
        interrupt::cancel_on_interrupt(move || {
            printer.fail(&CliError::cancelled());
        });
    } else {
        missing::check(&args, cx)?;
    }
    let questions = Questions { args: &args, cx };
    loop {
        match questions.name() {
            Err(Stop::Back) => cx
                .printer()
                .note("This is the first question. Ctrl-C cancels."),
            done => return Ok(done?),
        }
    }
}

impl Questions<'_> {
    fn name(&self) -> Result<Exit, Stop> {
        let mut typed = None;
        let ask = || {
            let name = prompts::name(self.args, self.cx, typed.as_deref())?;
            typed = Some(name.answer.to_string());
            Ok(name)
        };
        walk(ask, |name| self.host(&name))
    }

    /// Asks for the host again if a later step fails because of it.
    fn host(&self, name: &ConnectionName) -> Result<Exit, Stop> {
        self.cx.set_subject(name);
        let mut typed = None;
        let mut wrong = false;
        loop {
            let host = prompts::host(name, self.cx, typed.as_deref(), wrong)?;
            typed = Some(host.answer.to_string());
            if !host.answer.is_safe_transport() && !self.cx.global().insecure_http {
                let origin = host.answer.origin();
                return Err(CliError::from(api::Error::InsecureTransport { origin }).into());
            }
            match self.overwrite(name, &host) {
                Err(Stop::Back) if host.is_asked => {}
                Err(Stop::Again(error)) if self.cx.prompter().is_interactive() => {
                    self.cx.printer().fail(&self.cx.explained(error));
                    wrong = true;
                }
                done => return done,
            }
        }
    }

    fn overwrite(&self, name: &ConnectionName, host: &Asked<Host>) -> Result<Exit, Stop> {
        let ask = || destination::overwrite(self.args.overwrite, self.cx, name, &host.answer);
        walk(ask, |overwrite| {
            let host = match host.is_asked {
                true => reach::base_url(self.args, self.cx, name, &host.answer)?,
                false => host.answer.clone(),
            };
            self.store(name, &host, overwrite)
        })
    }

    fn store(&self, name: &ConnectionName, host: &Host, overwrite: bool) -> Result<Exit, Stop> {
        let ask = || destination::store(self.args.store.as_deref(), self.cx, name);
        walk(ask, |store| {
            self.key(&Target {
                name,
                host: host.clone(),
                overwrite,
                store,
            })
        })
    }

    fn key(&self, target: &Target<'_>) -> Result<Exit, Stop> {
        let ask = || key::accepted(self.args, self.cx, target.name, &target.host);
        walk(ask, |accepted| self.tenant(target, &accepted))
    }

    fn tenant(&self, target: &Target<'_>, accepted: &Accepted) -> Result<Exit, Stop> {
        let ask = || tenant::choose(self.args, self.cx, target, accepted.checked.as_ref());
        walk(ask, |tenant| {
            let make_default = prompts::make_default(self.args, self.cx, target.name)?;
            Ok(self.finish(target, accepted, tenant, make_default)?)
        })
    }

    fn finish(
        &self,
        target: &Target<'_>,
        accepted: &Accepted,
        default_tenant: Option<TenantSlug>,
        make_default: Option<bool>,
    ) -> Result<Exit, CliError> {
        let cx = self.cx;
        let checked = accepted.checked.as_ref();
        let new = NewLogin {
            name: target.name.clone(),
            provider: accepted.provider,
            key: accepted.key.clone(),
            expires_at: checked.and_then(|checked| identity::expiry(&checked.identity)),
            default_tenant,
            store: target.store,
            make_default,
            overwrite: target.overwrite,
            policy: self.args.policy,
            now: cx.now(),
            host: accepted.host.clone(),
        };
        interrupt::end_cancelling();
        let stored = ops::store(cx.home()?, &new, cx.stores()?)?;
        if let Some(error) = &stored.left_behind {
            cx.printer().warn(&format!(
                "the key that was replaced is still in its store: {error}"
            ));
        }
        if let Some((prefix, origin)) = &stored.replaced {
            cx.printer().note(&still_valid(prefix, origin));
        }
        // Not after a login with the key of the variable itself.
        let variable = cx.env().text(&env::NTRO_API_KEY)?;
        if variable.is_some_and(|text| text.parse().ok().as_ref() != Some(&new.key)) {
            cx.printer()
                .warn("the variable `NTRO_API_KEY` is set and overrides this login");
        }
        cx.printer().confirm(&LoginSummary::new(
            &new,
            stored.is_default,
            checked,
            cx.stores()?.settings(),
        ))?;
        expiry::warn(cx, Some(new.name.as_str()), new.expires_at);
        Ok(Exit::Success)
    }
}

fn checked_as<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(), String> {
    text.parse::<T>()
        .map(drop)
        .map_err(|error| error.to_string())
}

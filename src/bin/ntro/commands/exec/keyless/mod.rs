//! `ntro exec --keyless`: the program gets a proxy and a token for it in place of the key.
//!
//! Two processes share the work. The one that the user started resolves the connection without its
//! key, seals itself and becomes the program. The other, started before that, reads the key and is
//! the proxy; it ends with the program.

pub(crate) mod home;

use std::path::PathBuf;
use std::process::Command;

use ntro_base::env::{self, EnvVar};
use ntro_base::{ConnectionName, Host, HostError};
use ntro_client::exec::seal::{self, SealFiles, SealLevel};
use ntro_client::exec::{Selection, Values, Variable, Variables};

use self::home::Shown;
use super::child::ChildArgs;
use super::sidecar::{self, ProxyOrder, send_listener};
use crate::commands::proxy::RuleArgs;
use crate::commands::seal_levels;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

/// The name of the connection in the folder of the child, if the environment names host and key.
pub(crate) const UNNAMED: &str = "keyless";

/// The options of a keyless child.
#[derive(clap::Args, Debug)]
pub(super) struct KeylessArgs {
    /// Give the program a proxy and a token for it instead of the key
    #[arg(long, conflicts_with = "mask")]
    pub(super) keyless: bool,
    /// What the program is kept from: `store` hides key stores and other programs, `net` leaves only
    /// the proxy to call besides, `off` hides nothing [default: `store`, as far as the system can]
    #[arg(long, value_name = "LEVEL", requires = "keyless", value_parser = seal_levels())]
    seal: Option<SealLevel>,
    /// The folder to hide in place of `NTRO_HOME`, which is of `ntro prove`
    #[arg(long, value_name = "PATH", requires = "keyless", hide = true)]
    hidden_home: Option<PathBuf>,
    /// Start the program without first making a call that proves the key
    #[arg(long, requires = "keyless")]
    no_check: bool,
    #[command(flatten)]
    rules: RuleArgs,
}

impl KeylessArgs {
    /// Returns an error if an option has no meaning without `--keyless`.
    pub(super) fn check(&self) -> Result<(), CliError> {
        if !self.keyless && !self.rules.is_empty() {
            return Err(CliError::usage(
                "`--read-only`, `--allow`, `--deny` and `--ask` are for a program with `--keyless`",
            ));
        }
        match self.rules.asks() && !cfg!(target_os = "linux") {
            true => Err(CliError::usage("`--ask` is for Linux")
                .hint("`ntro proxy --ask` on a terminal asks there")),
            false => Ok(()),
        }
    }
}

/// Seals this process, and completes the command that it becomes.
///
/// The proxy warns about variables that override the connection.
pub(super) fn prepare(
    args: KeylessArgs,
    child: &ChildArgs,
    selection: &Selection,
    command: &mut Command,
    cx: &Context,
) -> Result<(), CliError> {
    let level = args.seal;
    let resolution = cx.resolution()?;
    let provider = resolution.provider()?.value;
    selection.check(provider)?;
    let upstream = &resolution.host()?.value;

    let home = home::create(cx.env())?;
    // Until the proxy does.
    let held = home::hold(home.path()).ok();
    let files = SealFiles {
        generated_home: Some(home.path().to_owned()),
        ..files(args.hidden_home, cx)?
    };
    let plan = seal::Plan::new(level.unwrap_or_default(), files, level.is_some())?;
    let proxy = ProxyOrder {
        home: home.path().to_owned(),
        rules: args.rules.rules(),
        check: !args.no_check,
        sends_listener: level == Some(SealLevel::Net),
    };
    let terms = child.terms(provider)?;
    let (socket, ready) = sidecar::start(cx, command, terms, Some(proxy))?;
    drop(held);
    // The proxy removes it when the program has ended.
    let home = home.keep();
    let sealed = plan.enter()?;
    let port = match &sealed.listener {
        Some(bound) => {
            let sent = send_listener(&socket, bound);
            sent.and_then(|()| bound.local_addr())
                .map_err(|error| CliError::new(Kind::Failure, error.to_string()))?
                .port()
        }
        None => ready.port.unwrap_or_default(),
    };
    if sealed.level != SealLevel::Off && !sealed.not_held.is_empty() {
        cx.printer().warn(&sealed.to_string());
    }

    let host: Host = format!("http://127.0.0.1:{port}{}", upstream.path())
        .parse()
        .map_err(|error: HostError| CliError::new(Kind::Failure, error.to_string()))?;
    let token = ready.key()?;
    let name = resolution.name()?.map(|name| name.value.clone());
    let name = name.map_or_else(|| UNNAMED.parse(), Ok);
    let name: ConnectionName = name.map_err(|error| CliError::usage(format!("{error}")))?;
    let tenant = resolution.tenant()?.map(|tenant| tenant.value.clone());
    home::write(
        &home,
        &Shown {
            name: &name,
            provider,
            host: &host,
            token: &token,
            tenant: tenant.as_ref(),
        },
    )?;
    let values = Values {
        connection: Some(&name),
        host: &host,
        key: Some(&token),
        tenant: tenant.as_ref(),
    };
    let variables = Variables::new(provider, &values, selection, cx.env())?;
    // Real keys of the other system, which the user may have set.
    for name in Variable::names() {
        command.env_remove(name);
    }
    ready.inherited.remove(&variables, command, cx);
    super::set(command, &variables);
    command.env(env::NTRO_HOME.name, &home);
    let exceptions = no_proxy(cx)?;
    command.env(env::NO_PROXY.name, &exceptions);
    command.env(env::NO_PROXY.name.to_ascii_lowercase(), &exceptions);
    Ok(())
}

/// Returns the files that the seal must know of. `hidden` is in place of the folder of `ntro`.
pub(crate) fn files(hidden: Option<PathBuf>, cx: &Context) -> Result<SealFiles, CliError> {
    let env = cx.env();
    let paths = [
        &env::NTRO_IDENTITY_FILE,
        &env::NTRO_PASSPHRASE_FILE,
        &env::CREDENTIALS_DIRECTORY,
    ];
    let usual = |variable: &EnvVar| env.path(variable).ok().flatten();
    Ok(SealFiles {
        home: env.home().map(PathBuf::from),
        ntro_home: match hidden {
            Some(folder) => folder,
            None => cx.home()?.folder().to_owned(),
        },
        generated_home: None,
        runtime_dir: usual(&env::XDG_RUNTIME_DIR),
        secrets: paths.into_iter().filter_map(usual).collect(),
        programs: env.program_folders().collect(),
    })
}

/// Returns the servers that are called without a proxy: those of the user, and this machine.
fn no_proxy(cx: &Context) -> Result<String, CliError> {
    const THIS_MACHINE: &str = "127.0.0.1,localhost";

    Ok(match cx.env().text(&env::NO_PROXY)? {
        Some(others) => format!("{others},{THIS_MACHINE}"),
        None => THIS_MACHINE.to_owned(),
    })
}

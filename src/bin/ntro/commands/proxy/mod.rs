//! `ntro proxy`: calls with the key of a connection for programs that have none.

#[cfg(unix)]
mod approve;
#[cfg_attr(not(unix), path = "approver_windows.rs")]
mod approver;
mod children;
mod listener;
mod log;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use clap::Subcommand;
use ntro_base::Host;
use ntro_client::proxy::{
    self, KeySource, Proxy, Rule, Rules, SessionKeys, Settings, Timeouts, Tripwires,
};
use serde::Serialize;

use self::approver::approver;
use self::children::{ChildName, ServedChild};
use self::listener::{bind, loopback_address};
#[cfg(test)]
pub(crate) use self::log::{CheckedCalls, LoggedCalls};
use super::listening::shutdown;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Paint, Report, plain};
use crate::process::raise_descriptor_limit;

/// Serve the connection's API to programs that hold a one-off token instead of the key
///
/// Prints the variables for each program once it listens. Ctrl-C or SIGTERM stops it after the
/// current calls.
///
/// The key replaces the token on the way to the server, and is masked wherever an answer repeats it.
/// Only this connection's server is called, and only below its base URL. Other credentials, cookies
/// and trailers are dropped; compressed answers are refused. A program that can open the secret
/// store itself is not kept from the key.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ProxyArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// Address of this machine to listen on, or a port; port 0 picks a free one
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:0",
        value_parser = loopback_address
    )]
    listen: SocketAddr,
    /// Listen on a Unix socket instead; its folder must be private
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    socket: Option<PathBuf>,
    /// Name of a program in the log; repeat for several, each gets a separate token
    #[arg(long = "child", value_name = "NAME", default_value = "default")]
    children: Vec<ChildName>,
    #[command(flatten)]
    rules: RuleArgs,
    /// Start without proving the key by a call
    #[arg(long)]
    no_check: bool,
}

/// The calls that a program may make.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Rules")]
pub(crate) struct RuleArgs {
    /// Forward GET, HEAD and OPTIONS only
    #[arg(long)]
    read_only: bool,
    /// Forward only these calls, such as 'GET /v1/interviews*'; repeat for several. The path is the
    /// whole one, `*` stands for any characters, and for any method
    #[arg(long, value_name = "METHOD PATH")]
    allow: Vec<Rule>,
    /// Never forward these calls, even if `--allow` has them
    #[arg(long, value_name = "METHOD PATH")]
    deny: Vec<Rule>,
    /// Forward these calls only once a person has approved each, even if `--allow` has them. `ntro
    /// proxy approve` asks on another terminal, and a proxy in the foreground on its own
    #[arg(long, value_name = "METHOD PATH")]
    ask: Vec<Rule>,
}

impl RuleArgs {
    /// Returns whether no rule is given.
    pub(crate) fn is_empty(&self) -> bool {
        let rules = [&self.allow, &self.deny, &self.ask];
        !self.read_only && rules.iter().all(|rules| rules.is_empty())
    }

    /// Returns whether a person is asked about some calls.
    #[cfg(unix)]
    pub(crate) fn asks(&self) -> bool {
        !self.ask.is_empty()
    }

    pub(crate) fn rules(self) -> Rules {
        Rules {
            read_only: self.read_only,
            allow: self.allow,
            deny: self.deny,
            ask: self.ask,
        }
    }
}

#[derive(Subcommand, Debug)]
#[command(defer = true)]
enum Command {
    Log(log::LogArgs),
    #[cfg(unix)]
    Approve(approve::ApproveArgs),
}

/// Printed once the proxy listens.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ProxySummary {
    /// Name of the connection; null if variables alone select the server.
    connection: Option<String>,
    /// Base URL of the server.
    upstream: String,
    /// Base URL of the proxy.
    url: String,
    /// Path of the Unix socket; null with TCP.
    socket: Option<String>,
    /// Path of the log of calls.
    log: String,
    /// Programs and their tokens.
    children: Vec<ServedChild>,
}

pub(crate) fn run(args: ProxyArgs, cx: &Context) -> Result<Exit, CliError> {
    match args.command {
        Some(Command::Log(args)) => return log::run(&args, cx),
        #[cfg(unix)]
        Some(Command::Approve(args)) => return approve::run(&args, cx),
        None => {}
    }
    let connection = cx.connection()?;
    let host = connection.host.value.clone();
    let provider = connection.provider.value;
    let log = cx.home()?.proxy_log();
    cx.revoke_leftover(&cx.target(&connection));
    let keys: Arc<dyn KeySource> = Arc::new(SessionKeys::new(
        cx.session().reread(),
        connection.key.value.clone(),
    ));
    let rules = args.rules.rules();
    let (approver, left) = approver(&rules, cx)?;
    let settings = Settings {
        provider,
        host: host.clone(),
        connection: connection.name.as_ref().map(|name| name.value.to_string()),
        insecure_http: cx.global().insecure_http,
        children: ChildName::children(args.children, provider)?,
        rules,
        approver,
        log: Some(log.clone()),
        keys: Arc::clone(&keys),
        calls: cx.api_settings()?.clone(),
        timeouts: Timeouts::default(),
    };
    let tenant = connection.tenant.as_ref().map(|tenant| &tenant.value);
    raise_descriptor_limit();
    #[cfg(unix)]
    let socket = args.socket;
    #[cfg(not(unix))]
    let socket = None::<PathBuf>;
    let runtime = crate::runtime::build(&mut tokio::runtime::Builder::new_multi_thread())?;
    let result = runtime.block_on(async {
        // Before the first answer, so that an early signal loses no call.
        let mut shutdown = pin!(shutdown()?);
        let bound = bind(args.listen, socket).await?;
        let url = base_url(&bound.origin, &host)?;
        let summary = ProxySummary {
            connection: settings.connection.clone(),
            upstream: host.to_string(),
            children: settings
                .children
                .iter()
                .map(|child| ServedChild::new(child, provider, &url, tenant))
                .collect(),
            url: url.to_string(),
            socket: bound.path.as_ref().map(|path| path.display().to_string()),
            log: log.display().to_string(),
        };
        let tripwires = Tripwires::new(&settings, keys);
        let proxy = Proxy::new(settings)?;
        if !args.no_check {
            tokio::select! {
                checked = proxy.check() => checked?,
                () = &mut shutdown => return Err(CliError::interrupted()),
            }
        }
        cx.printer().reveal(&summary)?;
        if !args.no_check {
            let printer = cx.printer().clone();
            tokio::spawn(tripwires.keep(move |error| {
                printer.note(&format!(
                    "note: the server will not report leaked tokens of this proxy: {error}"
                ));
            }));
        }
        let ending = async {
            tokio::select! {
                () = shutdown => {}
                () = left => {}
            }
            // While this still listens: the next proxy may bind the path during the last calls.
            #[cfg(unix)]
            drop(bound.socket);
        };
        proxy.serve(bound.listener, ending).await?;
        Ok(Exit::Success)
    });
    // A thread that waits for a store that hangs does not keep the process alive.
    runtime.shutdown_background();
    result
}

/// Returns the base URL of a proxy, which has the path of the server's.
fn base_url(origin: &str, upstream: &Host) -> Result<Host, CliError> {
    let url = format!("{origin}{}", upstream.path());
    let parsed = url.parse();
    parsed.map_err(|error| CliError::new(Kind::Failure, format!("`{url}`: {error}")))
}

impl Report for ProxySummary {
    fn text(&self, paint: Paint) -> String {
        let name = match &self.connection {
            Some(name) => format!("`{name}` ({})", self.upstream),
            None => self.upstream.clone(),
        };
        let place = self.socket.as_ref().unwrap_or(&self.url);
        let mut text = format!(
            "{} proxy for {} on {}\n  calls are logged in {}\n",
            paint.good("✓"),
            plain(&name),
            plain(place),
            plain(&self.log),
        );
        for child in &self.children {
            text.push_str(&child.text(paint));
        }
        text
    }
}

impl From<proxy::Error> for CliError {
    fn from(error: proxy::Error) -> Self {
        use proxy::Error as E;
        let of = |kind| Self::new(kind, error.to_string());
        match &error {
            E::Rule(_) => of(Kind::Usage),
            E::InsecureTransport { .. } => {
                of(Kind::Usage).hint("use `https`; `--insecure-http` allows it")
            }
            E::Log(_) => match error {
                E::Log(error) => error.into(),
                error => Self::new(Kind::Failure, error.to_string()),
            },
            E::Check { status, .. } => match status {
                401 => Self {
                    is_key_rejected: true,
                    ..of(Kind::NotAuthenticated)
                }
                .hint("it may be revoked, expired or for another server: run `ntro auth login` with a new key; `--no-check` starts all the same"),
                403 => of(Kind::Forbidden).hint("use a key that has the right to do this; `--no-check` starts all the same"),
                429 => of(Kind::RateLimited).hint("try again later"),
                502..=504 => of(Kind::Unreachable).hint("check the host, and that the server is running; `--no-check` starts all the same"),
                _ => of(Kind::Failure).hint("check the host; `--no-check` starts all the same"),
            },
            _ => of(Kind::Failure),
        }
    }
}

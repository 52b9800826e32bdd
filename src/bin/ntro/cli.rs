//! The command line, as clap parses it.

mod read;

pub(crate) use read::Reader;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use ntro_base::{ConnectionName, Host, TenantSlug};

use crate::commands::completions::{connections, tenants};
#[cfg(feature = "authority")]
use crate::commands::{admin, dev, serve};
use crate::commands::{
    auth, completions, doctor, env, exec, helper, key, man, pin, prove, proxy, tenant,
};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Manage API keys for Ntropii and Ontora in a secret store
#[derive(Parser, Debug)]
#[command(
    name = "ntro",
    version,
    propagate_version = false,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command, before or after its name: [`Cli::tree`] makes them global. `-h` omits
/// the rarer ones.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Connection to use instead of the default one
    #[arg(short, long, value_name = "NAME", add = ArgValueCompleter::new(connections))]
    pub(crate) connection: Option<ConnectionName>,
    /// Base URL to use instead of the connection's host
    #[arg(long, value_name = "URL")]
    pub(crate) host: Option<Host>,
    /// Tenant to use instead of the connection's default tenant
    #[arg(short, long, value_name = "SLUG", add = ArgValueCompleter::new(tenants))]
    pub(crate) tenant: Option<TenantSlug>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
    /// Never prompt; fail if an answer would be needed
    #[arg(long, hide_short_help = true)]
    pub(crate) no_interactive: bool,
    /// Print tables with all columns and whole ids, however wide
    #[arg(long, hide_short_help = true)]
    pub(crate) wide: bool,
    /// When to use colour
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true
    )]
    pub(crate) color: When,
    /// Print results, warnings and errors only
    #[arg(short, long, hide_short_help = true)]
    pub(crate) quiet: bool,
    /// Log to standard error; shows only the prefix of a key
    #[arg(long, hide_short_help = true)]
    pub(crate) debug: bool,
    /// Allow plain `http` to other machines; keys are sent unencrypted
    #[arg(long, hide_short_help = true)]
    pub(crate) insecure_http: bool,
}

impl Global {
    /// Returns the options as arguments for another process of this program.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let named = [
            (
                "--connection",
                self.connection.as_ref().map(ToString::to_string),
            ),
            ("--host", self.host.as_ref().map(ToString::to_string)),
            ("--tenant", self.tenant.as_ref().map(ToString::to_string)),
            ("--output", word(self.output)),
            ("--color", word(self.color)),
        ];
        let named = named.into_iter();
        let named = named.filter_map(|(option, value)| Some(format!("{option}={}", value?)));
        let flags = [
            ("--no-interactive", self.no_interactive),
            ("--wide", self.wide),
            ("--quiet", self.quiet),
            ("--debug", self.debug),
            ("--insecure-http", self.insecure_http),
        ];
        let flags = flags.into_iter().filter(|(_, given)| *given);
        named
            .chain(flags.map(|(option, _)| option.to_owned()))
            .collect()
    }
}

fn word(value: impl ValueEnum) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_owned())
}

/// Output format.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// Human-readable text
    #[default]
    Text,
    /// One JSON value
    Json,
}

/// When to use a feature that depends on a terminal.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// Only on a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Every command.
#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Log in, log out and manage connections (also `ntro login`, `logout`, `whoami`)
    #[command(subcommand)]
    Auth(auth::Command),
    #[command(hide = true)]
    Login(auth::LoginArgs),
    #[command(hide = true)]
    Logout(auth::LogoutArgs),
    #[command(hide = true)]
    Whoami(auth::WhoamiArgs),
    /// Show the tenants that the key reaches, and choose a default
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// List, create and revoke API keys on the server
    #[command(subcommand)]
    Key(key::Command),
    Pin(pin::PinArgs),
    Exec(exec::ExecArgs),
    #[cfg(unix)]
    #[command(hide = true)]
    KeylessProxy(exec::sidecar::KeylessProxyArgs),
    Prove(prove::ProveArgs),
    Env(env::EnvArgs),
    Proxy(proxy::ProxyArgs),
    /// Give a key to git, cargo, Bazel, MCP clients and scripts, in their own protocols
    #[command(subcommand)]
    Helper(helper::Command),
    #[cfg(feature = "authority")]
    Dev(dev::Args),
    #[cfg(feature = "authority")]
    Serve(Box<serve::ServeArgs>),
    #[cfg(feature = "authority")]
    Admin(admin::AdminArgs),
    Doctor(doctor::DoctorArgs),
    /// Print a shell completion script for commands, connections and tenants
    Completions(completions::Args),
    /// Print the manual page of a command, or write all pages to a folder
    Man(man::Args),
}

impl Command {
    /// Returns whether the command runs a program of the user, with the user's limits.
    pub(crate) fn runs_program(&self) -> bool {
        matches!(self, Self::Exec(_) | Self::Prove(_))
    }

    pub(crate) fn run(self, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Auth(command) => command.run(cx),
            Self::Login(args) => auth::Command::Login(args).run(cx),
            Self::Logout(args) => auth::Command::Logout(args).run(cx),
            Self::Whoami(args) => auth::Command::Whoami(args).run(cx),
            Self::Tenant(command) => command.run(cx),
            Self::Key(command) => command.run(cx),
            Self::Pin(args) => pin::run(args, cx),
            Self::Exec(args) => exec::run(args, cx),
            #[cfg(unix)]
            Self::KeylessProxy(args) => exec::sidecar::serve(args, cx),
            Self::Prove(args) => prove::run(args, cx),
            Self::Env(args) => env::run(args, cx),
            Self::Proxy(args) => proxy::run(args, cx),
            Self::Helper(command) => command.run(cx),
            #[cfg(feature = "authority")]
            Self::Dev(args) => dev::run(args, cx),
            #[cfg(feature = "authority")]
            Self::Serve(args) => serve::run(*args, cx),
            #[cfg(feature = "authority")]
            Self::Admin(args) => admin::run(args, cx),
            Self::Doctor(args) => doctor::run(args, cx),
            Self::Completions(args) => completions::run(args, cx),
            Self::Man(args) => man::run(args, cx),
        }
    }
}

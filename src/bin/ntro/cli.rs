//! The command line: clap and nothing else.

mod read;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use ntro_base::{ConnectionName, Host, TenantSlug};

use crate::commands::completions::{connections, tenants};
#[cfg(feature = "authority")]
use crate::commands::{admin, dev, serve};
use crate::commands::{auth, completions, doctor, key, man, tenant};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Keep API keys of Ntropii and Ontora in a real secret store, and always know which one is used
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

/// Options that every command takes, before or after its name: [`Cli::tree`] makes them global.
/// `-h` leaves the rarer ones out.
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
    /// How to print the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
    /// Never ask anything; fail where a question would be needed
    #[arg(long, hide_short_help = true)]
    pub(crate) no_interactive: bool,
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
    /// Tell on standard error what is being done; of keys, the prefix only
    #[arg(long, hide_short_help = true)]
    pub(crate) debug: bool,
    /// Allow plain `http` to other machines than this one; keys then travel unencrypted
    #[arg(long, hide_short_help = true)]
    pub(crate) insecure_http: bool,
}

/// For whom results are printed.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: one JSON value
    Json,
}

/// When something is done that depends on a terminal.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// On a terminal
    #[default]
    Auto,
    /// In any case
    Always,
    /// In no case
    Never,
}

/// Every command.
#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Log in and out, and see what is stored and used
    #[command(subcommand)]
    Auth(auth::Command),
    /// See the tenants that the key reaches, and choose one
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// List, create and revoke API keys at their server
    #[command(subcommand)]
    Key(key::Command),
    #[cfg(feature = "authority")]
    Dev(dev::Args),
    #[cfg(feature = "authority")]
    Serve(serve::ServeArgs),
    #[cfg(feature = "authority")]
    Admin(admin::AdminArgs),
    Doctor(doctor::DoctorArgs),
    /// Print a script that completes commands, connections and tenants in a shell
    Completions(completions::Args),
    /// Print the manual page of a command, or write all of them into a folder
    Man(man::Args),
}

impl Command {
    pub(crate) fn run(self, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Auth(command) => command.run(cx),
            Self::Tenant(command) => command.run(cx),
            Self::Key(command) => command.run(cx),
            #[cfg(feature = "authority")]
            Self::Dev(args) => dev::run(args, cx),
            #[cfg(feature = "authority")]
            Self::Serve(args) => serve::run(args, cx),
            #[cfg(feature = "authority")]
            Self::Admin(args) => admin::run(args, cx),
            Self::Doctor(args) => doctor::run(args, cx),
            Self::Completions(args) => completions::run(args, cx),
            Self::Man(args) => man::run(args, cx),
        }
    }
}

//! `ntro doctor`: one check a file, each telling what it found and what mends it.

mod bindings;
mod clear_keys;
mod file_access;
mod findings;
mod leftovers;
mod network;
mod servers;
mod stores;
mod syntax;
mod unfinished;
mod variables;

use ntro::config::{Config, Home, Logins};
use ntro::connection::{Flags, Resolver};
use ntro::domain::ConnectionName;
use ntro::env::Env;

use self::findings::{Findings, Level};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};

/// Check this machine and every connection, and tell what mends what is found
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Exits with 1 when something does not work that should. A warning is about something that works and
is not as it should be, and exits with 0. No key is sent or shown.")]
pub(crate) struct DoctorArgs {
    /// Mend what can be mended without losing anything: permissions and leftovers
    #[arg(long)]
    fix: bool,
    /// Ask no server
    #[arg(long)]
    offline: bool,
}

pub(crate) fn run(args: DoctorArgs, cx: &Context) -> Result<Exit, CliError> {
    let mut findings = Findings::default();
    // Looked for first, since whoever mends anything clears them up.
    let left = cx.home()?.leftovers().collect();
    file_access::check(cx, args.fix, &mut findings)?;
    leftovers::check(cx, left, args.fix, &mut findings)?;
    if let Some(files) = syntax::check(cx, &mut findings)? {
        variables::check(cx, &mut findings);
        unfinished::check(&files, cx.now(), &mut findings);
        clear_keys::check(cx, &files, &mut findings);
        bindings::check(&files, &mut findings);
        if let Err(error) = stores::check(cx, &files, &mut findings) {
            findings.failure(stores::CHECK, error);
        }
        network::check(cx, &mut findings);
        if !args.offline
            && let Err(error) = servers::check(cx, &files, &mut findings)
        {
            findings.failure(servers::CHECK, error);
        }
    }
    let failed = findings.worst() == Some(Level::Problem);
    cx.printer().print(&findings)?;
    Ok(if failed {
        Exit::Found(Kind::Failure)
    } else {
        Exit::Fine
    })
}

/// What the checks look at, once the files could be read.
struct Files {
    home: Home,
    config: Config,
    logins: Logins,
}

impl Files {
    /// Returns the connections whose names make sense; the others are findings of their own.
    fn names(&self) -> impl Iterator<Item = ConnectionName> {
        self.config.names().filter_map(|name| name.parse().ok())
    }

    /// Looks at one connection by itself, without the variables and the folder of the moment.
    fn of<'a>(&'a self, flags: &'a Flags) -> Resolver<'a> {
        static NO_VARIABLES: Env = Env::empty();
        Resolver {
            flags,
            env: &NO_VARIABLES,
            pin: None,
            config: &self.config,
            logins: &self.logins,
            home: &self.home,
        }
    }
}

//! `ntro doctor`: checks, one in each file, that report problems and their fixes.

mod bindings;
mod file_access;
mod findings;
mod leftovers;
mod network;
mod plaintext_keys;
#[cfg(target_os = "linux")]
mod seal;
mod servers;
mod stores;
mod syntax;
mod unfinished;
mod variables;

use ntro_base::ConnectionName;
use ntro_client::config::{Config, NtroDir};
use ntro_client::resolve::Inputs;
use ntro_client::state::KeyRecords;

pub(crate) use self::findings::Findings;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};

/// Check this machine and all connections, and show how to fix problems
///
/// Exits with 1 if there is a problem. Warnings are about things that work but should be changed,
/// and exit with 0. No key is sent or shown.
#[derive(clap::Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Fix permissions and remove leftover files
    #[arg(long)]
    fix: bool,
    /// Contact no server, and make no attempts on the seal
    #[arg(long)]
    offline: bool,
}

pub(crate) fn run(args: DoctorArgs, cx: &Context) -> Result<Exit, CliError> {
    let mut findings = Findings::default();
    // First, since every fix removes leftover files.
    let left = cx.home()?.leftovers().collect();
    file_access::check(cx, args.fix, &mut findings)?;
    leftovers::check(cx, left, args.fix, &mut findings)?;
    if let Some(files) = syntax::check(cx, &mut findings)? {
        variables::check(cx, &mut findings);
        unfinished::check(&files, cx.now(), &mut findings);
        plaintext_keys::check(cx, &files, &mut findings);
        bindings::check(&files, &mut findings);
        if let Err(error) = stores::check(cx, &files, &mut findings) {
            findings.failure(stores::CHECK, error);
        }
        network::check(cx, &mut findings);
        #[cfg(target_os = "linux")]
        if !args.offline {
            seal::check(cx, &mut findings);
        }
        if !args.offline
            && let Err(error) = servers::check(cx, &files, &mut findings)
        {
            findings.failure(servers::CHECK, error);
        }
    }
    let failed = findings.has_problem();
    cx.printer().print(&findings)?;
    Ok(if failed {
        Exit::Failure(Kind::Failure)
    } else {
        Exit::Success
    })
}

/// Files that the checks read.
struct CheckedFiles {
    home: NtroDir,
    config: Config,
    records: KeyRecords,
}

impl CheckedFiles {
    /// Returns the valid names of connections; invalid ones are separate findings.
    fn names(&self) -> impl Iterator<Item = ConnectionName> {
        self.config.names().filter_map(|name| name.parse().ok())
    }

    /// Returns the inputs, without environment variables and pins.
    fn inputs(&self) -> Inputs<'_> {
        Inputs::of_files(&self.config, &self.records, &self.home)
    }
}

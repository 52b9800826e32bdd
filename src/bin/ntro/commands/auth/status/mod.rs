//! `ntro auth status`: checks one connection, or all of them in parallel.

mod keys;
mod round;
mod row;
mod watch;

use ntro_base::Period;
use ntro_client::resolve::ResolvedValue;

use self::round::Checks;
pub(super) use self::row::Statuses;
#[cfg(test)]
pub(super) use self::watch::WatchRound;
use super::super::expiry;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;

/// Check connections against their servers
///
/// States are `valid`, `expires in N days`, `expired`, `rejected` (401), `forbidden` (403),
/// `unreachable`, `locked` (the secret store), `store unavailable`, `no key` and `failed`.
///
/// The exit code is 0 if all connections are ok, or else that of the first one that is not, in the
/// order of the list: 4 `no key`, `rejected` or `expired`, 5 `forbidden`, 6 `unreachable`, 7 rate
/// limited, 8 `locked` or `store unavailable`. A key that expires soon is ok; with `--warn-within`
/// it counts as a failure, and the exit code is 1 if there is no other. `ok` in JSON says the same
/// for each connection.
#[derive(clap::Args, Debug)]
pub(crate) struct StatusArgs {
    /// Check all connections [default: the one named by `-c`, or the default connection]
    #[arg(long)]
    all: bool,
    /// Number of connections to check in parallel
    #[arg(
        long,
        visible_alias = "concurrency",
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    jobs: u16,
    /// Timeout for each server, including retries
    #[arg(long, value_name = "TIME", default_value_t = Period::seconds(10), value_parser = some_time)]
    timeout: Period,
    /// Report keys that expire within this time, and count them as failures [default: 14d, not
    /// counted]
    #[arg(long, value_name = "TIME")]
    warn_within: Option<Period>,
    /// Repeat the check at this interval until Ctrl-C, exit code 130 [default interval: 30s]. A
    /// terminal shows the last round, other output each change, `-o json` one line for each round
    #[arg(
        long,
        value_name = "INTERVAL",
        num_args = 0..=1,
        default_missing_value = "30s",
        value_parser = some_time
    )]
    watch: Option<Period>,
}

fn some_time(text: &str) -> Result<Period, String> {
    match text.parse::<Period>() {
        Ok(period) if period.is_zero() => Err("it is no time at all".to_owned()),
        Ok(period) => Ok(period),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn run(args: StatusArgs, cx: &Context) -> Result<Exit, CliError> {
    if !args.all {
        cx.check_shadows(&ResolvedValue::ALL)?;
    }
    let checks = Checks::new(
        cx,
        args.all,
        usize::from(args.jobs),
        args.timeout,
        args.warn_within.unwrap_or(expiry::SOON),
        args.warn_within.is_some(),
    )?;
    if let Some(interval) = args.watch {
        return watch::run(cx, &checks.repeated(), interval);
    }
    let asked = checks.keys(cx.inputs()?)?;
    if asked.is_empty() {
        cx.printer()
            .note("There are no connections yet: run `ntro auth login`.");
    }
    let statuses = Statuses(cx.block_on(checks.ask(asked))?);
    cx.printer().print(&statuses)?;
    if let Some(until) = cx.stores()?.settings().passphrase.kept_until() {
        cx.printer().note(&expiry::unlocked(until));
    }
    Ok(statuses.exit())
}

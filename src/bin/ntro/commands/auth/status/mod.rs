//! `ntro auth status`: what connections are good for now, all of them at once.

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
/// Exit code: 0 if all are well; else that of the first connection that is not, in the order of
/// the list: 4 `no key`, `rejected` or `expired`, 5 `forbidden`, 6 `unreachable`, 7 rate limited,
/// 8 `locked` or `store unavailable`. A key that expires soon is well, unless `--warn-within` is
/// given: then it is 1 where nothing is worse. `ok` in JSON says the same for each connection.
#[derive(clap::Args, Debug)]
pub(crate) struct StatusArgs {
    /// Check every connection, not only the one that `-c` or the default names
    #[arg(long)]
    all: bool,
    /// Connections that are asked at the same time
    #[arg(
        long,
        visible_alias = "concurrency",
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    jobs: u16,
    /// Time that each server has to answer, tries and pauses included
    #[arg(long, value_name = "TIME", default_value_t = Period::seconds(10), value_parser = some_time)]
    timeout: Period,
    /// Tell of keys that expire within this time [default: 14d]; given, it makes them count for the
    /// exit code too
    #[arg(long, value_name = "TIME")]
    warn_within: Option<Period>,
    /// Check again and again, every 30 s unless an interval is given, until Ctrl-C (exit code 130).
    /// A terminal shows the last round, anything else what has changed; with `-o json`, each round
    /// is a line
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
        cx.tell_shadows(&ResolvedValue::ALL)?;
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
        return watch::run(cx, &checks, interval);
    }
    let asked = checks.keys(cx.inputs()?)?;
    if asked.is_empty() {
        cx.printer()
            .note("There are no connections yet: run `ntro auth login`.");
    }
    let statuses = Statuses(cx.block_on(checks.ask(asked, true))?);
    cx.printer().print(&statuses)?;
    Ok(statuses.exit())
}
